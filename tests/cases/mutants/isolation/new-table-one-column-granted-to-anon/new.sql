create table notes (id uuid primary key, secret text);
revoke all on notes from anon, authenticated;
grant select (secret) on notes to anon;
