insert into public.categories values (1, 'Books'), (2, 'Records');
