create extension if not exists unaccent with schema extensions;

create collation public.german (provider = icu, locale = 'de-u-ks-level2', deterministic = false);
create text search configuration public.simple_unaccent (copy = simple);
alter text search configuration public.simple_unaccent
  alter mapping for hword, hword_part, word with extensions.unaccent, simple;

create table public.articles (
  id bigint generated always as identity primary key,
  locale text not null default 'en' check (locale in ('en', 'de', 'ja', 'ar')),
  title text not null collate public.german,
  body jsonb not null default '{}'
);
alter table public.articles enable row level security;
grant select on public.articles to anon, authenticated, service_role;
create policy "everyone reads" on public.articles for select using (true);

create function public.normalise(value text) returns text language sql immutable parallel safe strict
as $$ select lower(extensions.unaccent('extensions.unaccent', $1)) $$;
create index articles_title on public.articles (public.normalise(title collate "default"));
create index articles_words on public.articles using gin (to_tsvector('public.simple_unaccent', title));
create function public.find(words text) returns setof public.articles language sql stable
as $$ select * from public.articles where to_tsvector('public.simple_unaccent', title) @@ websearch_to_tsquery('public.simple_unaccent', $1) $$;
comment on table public.articles is 'Artikel in mehreren Sprachen – 記事';
