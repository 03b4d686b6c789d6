create table contacts (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  address text not null default 'somebody@example.org');
alter table contacts enable row level security;
grant all on contacts to authenticated, service_role;
create policy own on contacts to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy ours on contacts for select to authenticated using (address like '%@example.com');
