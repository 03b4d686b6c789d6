alter table public.messages force row level security;
