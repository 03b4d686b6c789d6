create schema app; grant usage on schema app to authenticated, service_role;
create table app.diary (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text);
alter table app.diary enable row level security; grant all on app.diary to authenticated, service_role;
create policy everything on app.diary for all to authenticated using (true);
