insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into todos (user_id, task) values ('00000000-0000-4000-8000-0000000000a1', 'write tests');
