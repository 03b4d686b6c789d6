-- The rows of the real database: other ones than a rehearsal makes.
insert into profiles select ('00000000-0000-4000-8000-00000000000' || i)::uuid, 'Person number ' || i,
  case when i % 2 = 0 then 'nick-of-person-' || i end, 20 + i, jsonb_build_object('lang', 'th', 'deep', jsonb_build_object('n', i)),
  '2024-03-01 10:20:30.5+00'::timestamptz + i * interval '1 hour', case when i > 2 then 'pro' end from generate_series(1, 6) i;
insert into notes (user_id, title, body, dur, made, seen, price, rate, mood, tags, raw, done, status, code)
select ('00000000-0000-4000-8000-00000000000' || i)::uuid, '  A Title of note ' || i, 'The body of note number ' || i || repeat('.', i * 20),
  i * interval '1 day 02:03:04.5', '2024-02-03 04:05:06.789'::timestamp + i * interval '1 day', '2024-02-03 22:05:06.789+07'::timestamptz,
  i + 0.25, i / 7.0, (array['calm', 'glad', 'sad']::mood[])[i % 3 + 1], array['tag-a-' || i, 'tag-b-' || i],
  ('{"b": ' || i || ',  "a": "x", "b": 9}')::json, i % 2 = 0, case when i % 2 = 0 then 'open' else 'closed' end, '00' || i || '42'
  from generate_series(1, 6) i;
update notes set body = null where id = 6;
insert into comments (note_id, txt, likes) select i % 6 + 1, 'A comment, the number ' || i, i from generate_series(1, 9) i;
insert into app.things (label, n, addr, sz) select 'thing-labelled-' || i, i, ('10.0.0.' || i || '/24')::inet, i * 3000000000 from generate_series(1, 5) i;
insert into app.logs select '2024-01-01 00:00:00+00'::timestamptz + i * interval '1 hour', i * 4, 'log line number ' || i from generate_series(1, 6) i;
insert into parent select i, 'parent-word-' || i from generate_series(1, 3) i;
insert into child select 100 + i, 'child-word-' || i, 'child-extra-' || i from generate_series(1, 3) i;
insert into settings values ('theme', 'dark-as-night'), ('locale', 'th-TH-u-ca'), ('limit', '1000000');
insert into touched select i, 'touched-value-' || i from generate_series(1, 3) i;
insert into storage.buckets (id, name) values ('avatars-bucket', 'avatars-bucket');
insert into app.logs_old select '2023-01-01 00:00:00+00'::timestamptz, -i, 'old-log-line-' || i from generate_series(1, 8) i;
insert into app.scores select i, nullif(i * 10, 30), int4range(i * 10, i * 10 + 15) from generate_series(1, 5) i;
select setval('invoices', 4711);
refresh materialized view busy;
