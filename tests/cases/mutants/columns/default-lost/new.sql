alter table public.messages alter column id drop default;
