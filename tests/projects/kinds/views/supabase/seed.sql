insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into public.entries (user_id, amount, booked_on)
select '00000000-0000-4000-8000-0000000000a1', n * 1.5, date '2024-01-31' + n from generate_series(1, 40) n;
refresh materialized view concurrently public.totals;
