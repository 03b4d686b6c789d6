create type visibility as enum ('hidden', 'public', 'friends');
create table items (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, shown visibility not null default 'hidden', deleted_at timestamptz);
create table friends (a uuid not null references auth.users on delete cascade, b uuid not null references auth.users on delete cascade, primary key (a, b));
create table photos (id uuid primary key default gen_random_uuid(), item_id uuid not null references items on delete cascade, url text not null);
alter table items enable row level security;
alter table friends enable row level security;
alter table photos enable row level security;
grant all on items, friends, photos to authenticated, service_role;
create policy own on items to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy shown on items for select to authenticated using (shown = 'public' and deleted_at is null);
create policy own on friends to authenticated using (a = auth.uid()) with check (a = auth.uid());
create policy own on photos to authenticated using (exists (select 1 from items i where i.id = item_id and i.user_id = auth.uid()))
  with check (exists (select 1 from items i where i.id = item_id and i.user_id = auth.uid()));
create policy shown on photos for select to authenticated using (exists (select 1 from items i where i.id = photos.item_id
  and (i.user_id = auth.uid() or i.shown = 'public' and i.deleted_at is null
    or i.shown = 'friends' and exists (select 1 from friends f where f.a = i.user_id and f.b = auth.uid()))));
