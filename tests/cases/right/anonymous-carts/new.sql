create table carts (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, items jsonb not null default '[]');
create table cart_items (id uuid primary key default gen_random_uuid(), cart_id uuid not null references carts on delete cascade, sku text not null, quantity int not null default 1);
alter table carts enable row level security;
grant all on carts to authenticated, service_role;
alter table cart_items enable row level security;
grant all on cart_items to authenticated, service_role;
create policy own on carts to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on cart_items to authenticated using (cart_id in (select id from carts where user_id = auth.uid())) with check (cart_id in (select id from carts where user_id = auth.uid()));
create policy registered on cart_items as restrictive for delete to authenticated using (coalesce((auth.jwt() ->> 'is_anonymous')::boolean, false) = false);
