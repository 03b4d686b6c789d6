alter table s.loose set schema public;
drop table public.loose;
