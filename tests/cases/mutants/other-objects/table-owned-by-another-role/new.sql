alter table public.messages owner to app_owner;
