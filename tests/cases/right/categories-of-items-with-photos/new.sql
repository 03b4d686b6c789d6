create table categories (id text primary key, name text not null unique);
create table items (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  category_id text not null references categories, title text not null, deleted boolean not null default false);
create table photos (id uuid primary key default gen_random_uuid(), item_id uuid not null references items on delete cascade, url text not null);
alter table categories enable row level security;
alter table items enable row level security;
alter table photos enable row level security;
grant select on categories to authenticated;
grant all on items, photos to authenticated;
grant all on categories, items, photos to service_role;
create policy see on categories for select to authenticated using (true);
create policy own on items to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on photos to authenticated
  using (exists (select 1 from items where items.id = photos.item_id and items.user_id = auth.uid() and not items.deleted))
  with check (exists (select 1 from items where items.id = photos.item_id and items.user_id = auth.uid() and not items.deleted));
insert into categories values ('books', 'Books');
