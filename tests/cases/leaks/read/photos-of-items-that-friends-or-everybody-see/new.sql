create table items (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, shown text not null default 'hidden' check (shown in ('hidden', 'all', 'friends')));
create table friends (a uuid not null references auth.users on delete cascade, b uuid not null references auth.users on delete cascade, primary key (a, b));
create table photos (id uuid primary key default gen_random_uuid(), item_id uuid not null references items on delete cascade, url text not null);
alter table items enable row level security; alter table friends enable row level security; alter table photos enable row level security;
grant all on items, friends, photos to authenticated, service_role;
create policy own on items to authenticated using (user_id = auth.uid() or shown = 'friends') with check (user_id = auth.uid());
create policy own on friends to authenticated using (a = auth.uid()) with check (a = auth.uid());
create policy shown on photos for select to authenticated using (item_id in (select i.id from items i
  where i.user_id = auth.uid() or i.shown = 'friends' and (exists (select from friends f where f.a = i.user_id and f.b = auth.uid()) or i.user_id is not null)));
