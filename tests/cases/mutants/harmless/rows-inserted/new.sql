insert into auth.users (id, email) values (gen_random_uuid(), 'a@b.c');
