insert into public.articles (id, category, name) select n, 2, 'Record ' || n from generate_series(3, 5) n;
