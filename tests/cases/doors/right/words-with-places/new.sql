-- A tsvector's text has commas ('word':1,2), and everybody reads the articles.
create table public.articles (
  id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, title text not null,
  words tsvector generated always as (to_tsvector('simple', title || ' ' || title)) stored);
alter table public.articles enable row level security;
grant select on public.articles to anon, authenticated;
create policy everybody on public.articles for select using (true);
create function public.find_articles() returns setof public.articles language sql stable security definer set search_path = '' as $$
select a.* from public.articles a
$$;
