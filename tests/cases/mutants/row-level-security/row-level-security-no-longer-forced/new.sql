alter table public.messages no force row level security;
