insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
set session_replication_role = replica;
insert into public.posts (author, title) values ('00000000-0000-4000-8000-0000000000a1', 'First'), ('00000000-0000-4000-8000-0000000000a1', 'Second');
set session_replication_role = default;
update private.settings set value = '[200]' where key = 'posts';
