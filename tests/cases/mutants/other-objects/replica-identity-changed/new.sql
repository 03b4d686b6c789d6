alter table public.messages replica identity full;
