create table companies (id uuid primary key default gen_random_uuid(), name text not null);
create table profiles (id uuid primary key references auth.users on delete cascade, company_id uuid references companies, role text not null default 'staff');
create table jobs (id uuid primary key default gen_random_uuid(), company_id uuid not null references companies on delete cascade, title text not null);
create function my_company() returns uuid language sql stable security definer set search_path = '' as
  $$ select company_id from public.profiles where id = auth.uid() $$;
alter table companies enable row level security;
grant all on companies to authenticated, service_role;
alter table profiles enable row level security;
grant all on profiles to authenticated, service_role;
alter table jobs enable row level security;
grant all on jobs to authenticated, service_role;
revoke insert, update on profiles from authenticated; grant update (role) on profiles to service_role;
create policy own on profiles for select to authenticated using (id = auth.uid());
create policy mine on companies for select to authenticated using (id = my_company());
create policy mine on jobs to authenticated using (company_id = my_company()) with check (company_id = my_company());
