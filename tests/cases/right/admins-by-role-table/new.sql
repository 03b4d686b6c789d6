create type app_role as enum ('admin', 'moderator', 'user');
create table user_roles (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, role app_role not null, unique (user_id, role));
create table tickets (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text);
create table settings (key text primary key, value jsonb);
create function has_role(who uuid, wanted app_role) returns boolean language sql stable security definer set search_path = public as
  $$ select exists (select 1 from user_roles where user_id = who and role = wanted) $$;
alter table user_roles enable row level security;
grant all on user_roles to authenticated, service_role;
alter table tickets enable row level security;
grant all on tickets to authenticated, service_role;
alter table settings enable row level security;
grant all on settings to authenticated, service_role;
create policy own on user_roles for select to authenticated using (user_id = auth.uid());
create policy admins on user_roles to authenticated using (has_role(auth.uid(), 'admin')) with check (has_role(auth.uid(), 'admin'));
create policy own on tickets to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy staff on tickets for select to authenticated using (has_role(auth.uid(), 'moderator') or has_role(auth.uid(), 'admin'));
create policy admins on settings to authenticated using (has_role(auth.uid(), 'admin')) with check (has_role(auth.uid(), 'admin'));
