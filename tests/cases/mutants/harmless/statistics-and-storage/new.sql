alter table public.messages alter column content set statistics 500;
alter table public.messages set (fillfactor = 80);
alter table public.messages cluster on messages_pkey;
