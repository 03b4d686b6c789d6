alter table s.t alter column cd type inet;
