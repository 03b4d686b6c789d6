alter table s.t alter column n type int;
