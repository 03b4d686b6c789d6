create table "My ""Table" ("Id" uuid primary key default gen_random_uuid(),
  "User Id" uuid not null references auth.users,
  "select" text not null check ("select" in ('it''s', '%s')));
alter table "My ""Table" enable row level security;
grant all on "My ""Table" to authenticated, service_role;
create policy own on "My ""Table" to authenticated using ("User Id" = (select auth.uid()))
  with check ("User Id" = (select auth.uid()));
