-- A key of four bytes, of which a column of two refers to some.
create table games (id serial primary key, user_id uuid not null references auth.users on delete cascade, name text not null);
create table arenas (id bigserial primary key, game_id smallint not null references games on delete cascade, name text not null);
alter table games enable row level security;
alter table arenas enable row level security;
grant select, insert, update, delete on games, arenas to authenticated;
create policy own on games to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on arenas to authenticated using (exists (select from games g where g.id = game_id and g.user_id = auth.uid()))
  with check (exists (select from games g where g.id = game_id and g.user_id = auth.uid()));
