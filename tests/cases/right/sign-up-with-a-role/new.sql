-- Who signs up says as what; only some may do without a company.
create table companies (id uuid primary key default gen_random_uuid(), name text not null);
create table people (id uuid primary key references auth.users on delete cascade, role text not null, company_id uuid references companies,
  constraint staff_has_a_company check (role = 'freelancer' or company_id is not null));
alter table companies enable row level security;
alter table people enable row level security;
grant select on people to authenticated;
create policy own on people for select to authenticated using (id = auth.uid());
create function add_person() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.people (id, role, company_id) values (new.id, coalesce(new.raw_user_meta_data ->> 'kind', 'staff'), (new.raw_user_meta_data ->> 'company_id')::uuid);
  return new;
end $$;
create trigger add_person after insert on auth.users for each row execute function add_person();
revoke execute on function add_person() from public, anon, authenticated;
