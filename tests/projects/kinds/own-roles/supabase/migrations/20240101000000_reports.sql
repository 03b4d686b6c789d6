create table public.reports (
  id bigint generated always as identity primary key,
  title text not null
);
alter table public.reports enable row level security;
create policy "reporting reads" on public.reports for select to kinds_reporting using (true);
grant usage on schema public to kinds_reporting, kinds_worker;
grant select on public.reports to kinds_reporting, service_role;
grant insert on public.reports to kinds_worker;
alter default privileges in schema public grant select on tables to kinds_reporting;
