create table user_roles (user_id uuid not null references auth.users on delete cascade, role text not null, primary key (user_id, role));
create table tickets (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text);
alter table user_roles enable row level security; alter table tickets enable row level security;
grant all on user_roles, tickets to authenticated, service_role;
create function has_role(wanted text) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.user_roles where user_id = auth.uid() and role = wanted) $$;
create policy own on user_roles to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy own on tickets to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy staff on tickets for select to authenticated using (has_role('support'));
