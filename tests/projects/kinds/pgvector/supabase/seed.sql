insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into public.documents (user_id, content, embedding) values
  ('00000000-0000-4000-8000-0000000000a1', 'one', '[1,0,0]'),
  ('00000000-0000-4000-8000-0000000000a1', 'two', '[0,1,0.5]');
