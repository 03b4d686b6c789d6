insert into public.articles (locale, title) values ('de', 'Straßenbahn in Zürich'), ('ja', '東京の記事'), ('ar', 'مقال'), ('en', 'Café society');
do $$ begin
  if not exists (select from public.find('cafe')) then raise exception 'not found'; end if;
end $$;
