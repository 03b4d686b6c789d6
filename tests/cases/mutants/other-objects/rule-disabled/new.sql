alter table public.messages disable rule quietly;
