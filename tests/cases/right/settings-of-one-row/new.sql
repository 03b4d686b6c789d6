create table settings (id boolean primary key default true check (id), fee numeric not null check (fee > 0),
  opens int not null, closes int not null, ends int not null, check (opens > closes and closes > ends and ends > 0));
create table secrets (id int primary key default 1 check (id = 1), value text not null);
create table locks (id int primary key default 1 check (id = 1), held_until timestamptz);
alter table settings enable row level security;
alter table secrets enable row level security;
alter table locks enable row level security;
grant select on settings to anon, authenticated;
grant all on settings, secrets, locks to service_role;
create policy see on settings for select using (true);
insert into settings values (true, 1.5, 24, 12, 6);
insert into secrets values (1, 'FAKE');
