insert into public.things values (1, 'one'), (2, 'two');
