create table banners (id uuid primary key default gen_random_uuid(), text text not null);
create table orders (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade);
alter table banners enable row level security;
grant all on banners to authenticated, service_role;
alter table orders enable row level security;
grant all on orders to authenticated, service_role;
create policy admins on banners to authenticated using ((auth.jwt() -> 'app_metadata' ->> 'role') = 'admin') with check ((auth.jwt() -> 'app_metadata' ->> 'role') = 'admin');
create policy own on orders to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy admins on orders for select to authenticated using ((auth.jwt() -> 'app_metadata' ->> 'role') = 'admin');
