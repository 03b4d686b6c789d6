create or replace function public.f_unaccent(text) returns text language sql immutable strict parallel safe as
$$ select extensions.unaccent('extensions.unaccent', $1) $$;

create table public.articles (
  id bigint generated always as identity primary key,
  author citext not null,
  title text not null,
  body text,
  path ltree,
  updated_at timestamptz default now(),
  fts tsvector generated always as (
    setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', coalesce(body, '')), 'B')) stored
);
create index articles_fts on public.articles using gin (fts);
create index articles_title_trgm on public.articles using gin (title gin_trgm_ops);
create index articles_title_plain on public.articles (public.f_unaccent(lower(title)));
create index articles_path on public.articles using gist (path);
create trigger handle_updated_at before update on public.articles
  for each row execute procedure extensions.moddatetime(updated_at);

create table public.bookings (
  room integer not null,
  during tstzrange not null,
  exclude using gist (room with =, during with &&)
);

create function public.search_articles(term text) returns setof public.articles language sql stable as $$
  select * from public.articles
   where fts @@ websearch_to_tsquery('english', term) or title % term or f_unaccent(title) ilike '%' || f_unaccent(term) || '%'
$$;
insert into public.articles (author, title, body, path)
values ('Ada@Example.com', 'Crème brûlée at home', 'Sugar and patience', 'food.sweet');
