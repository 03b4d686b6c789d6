create table log (user_id uuid not null references auth.users on delete cascade, line text, level text not null default 'info');
alter table log enable row level security;
grant all on log to authenticated, service_role;
create policy own on log to authenticated using (user_id = auth.uid() or level = 'debug') with check (user_id = auth.uid());
