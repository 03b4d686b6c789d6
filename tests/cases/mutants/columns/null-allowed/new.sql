alter table public.messages alter column content drop not null;
