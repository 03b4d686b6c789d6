alter table s.t alter column g drop expression;
