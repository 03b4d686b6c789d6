insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into public.rooms (id, name) overriding system value values (1, 'lobby'), (2, 'tech');
insert into public.room_users select id, '00000000-0000-4000-8000-0000000000a1' from public.rooms;
insert into public.messages (user_id, room_id, body) values ('00000000-0000-4000-8000-0000000000a1', 1, 'Hello 👋');
select setval(pg_get_serial_sequence('public.rooms', 'id'), 2);
