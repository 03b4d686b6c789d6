insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into tickets (owner, title, contact, fee) values
  ('00000000-0000-4000-8000-0000000000a1', 'It''s broken; again', 'ann@example.com', row(9.90, 'EUR')),
  ('00000000-0000-4000-8000-0000000000a1', '$$ and -- are no comment', null, null);
