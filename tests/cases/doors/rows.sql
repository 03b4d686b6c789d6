-- What Alice owns and Mallory, who owns nothing, is after. The ids are those of test_verify_doors.py.
insert into auth.users (id, email, encrypted_password, raw_user_meta_data) values
  ('a11ce000-0000-0000-0000-000000000000', 'alice@example.com', 'hash of alice', '{}'),
  ('3a110000-0000-0000-0000-000000000000', 'mallory@example.com', 'hash of mallory', '{"role": "admin", "is_admin": true}');
insert into public.profiles (id, email, full_name) values
  ('a11ce000-0000-0000-0000-000000000000', 'alice@example.com', 'name of alice'), ('3a110000-0000-0000-0000-000000000000', 'mallory@example.com', 'Mallory');
insert into public.notes (id, user_id, title, body, slug, price, tags, meta) values
  ('00000000-0000-0000-0000-00000000000a', 'a11ce000-0000-0000-0000-000000000000', 'title of alice', 'body of alice', 'slug-of-alice', 314159.25,
   '{tag of alice}', '{"k": "meta of alice"}');
insert into public.invoices (id, user_id, number, amount) overriding system value
  values (4711, 'a11ce000-0000-0000-0000-000000000000', 'number of alice', 314159.25);
insert into public.organizations values ('00000000-0000-0000-0000-00000000000b', 'organization of alice');
insert into public.members values ('00000000-0000-0000-0000-00000000000b', 'a11ce000-0000-0000-0000-000000000000', 'owner');
