create table projects (id uuid primary key default gen_random_uuid(), owner_id uuid not null references auth.users on delete cascade,
  visibility text not null default 'private');
create table tasks (id uuid primary key default gen_random_uuid(), project_id uuid not null references projects on delete cascade, secret text);
alter table projects enable row level security; alter table tasks enable row level security;
grant all on projects, tasks to authenticated, service_role;
create policy own on projects to authenticated using (owner_id = auth.uid()) with check (owner_id = auth.uid());
create function shown(project uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.projects p where p.id = project and (p.owner_id = auth.uid() or p.visibility = 'link')) $$;
create policy see on tasks for select to authenticated using (shown(project_id));
create policy own on tasks to authenticated using (exists (select from projects p where p.id = project_id and p.owner_id = auth.uid()));
