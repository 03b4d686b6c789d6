create table public.categories (id int primary key, name text not null);
create table public.articles (id int primary key, category int not null references public.categories, name text not null, note text);
create index on public.articles (category);
alter table public.categories enable row level security;
alter table public.articles enable row level security;
create policy "everyone reads" on public.categories for select using (true);
create policy "everyone reads" on public.articles for select using (true);
grant select on public.categories, public.articles to anon, authenticated, service_role;
