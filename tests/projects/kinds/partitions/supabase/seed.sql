insert into public.events (user_id, at, kind) select gen_random_uuid(), date '2024-01-15' + n * 10, 'click' from generate_series(0, 9) n;
insert into public.offices values (1, 'de', 'Berlin'), (2, 'us', 'Austin');
