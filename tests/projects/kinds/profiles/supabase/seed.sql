insert into auth.users (id, email, raw_user_meta_data) values
  ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com', '{"full_name": "Ann"}'),
  ('00000000-0000-4000-8000-0000000000b1', 'bob@example.com', '{"full_name": "Bob"}');
update auth.users set last_sign_in_at = now() where email = 'ann@example.com';
