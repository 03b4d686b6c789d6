create table notes (id uuid primary key, user_id uuid references auth.users);
revoke all on notes from anon, authenticated;
grant select on notes to authenticated;
