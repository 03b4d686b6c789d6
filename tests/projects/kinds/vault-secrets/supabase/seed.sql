insert into auth.users (id, email) values ('00000000-0000-4000-8000-0000000000a1', 'ann@example.com');
insert into public.integrations (user_id, kind, secret_id)
select '00000000-0000-4000-8000-0000000000a1', 'mail', vault.create_secret('fake-token', 'mail_token');
