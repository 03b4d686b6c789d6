alter table s.t set schema public;
