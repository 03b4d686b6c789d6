create table codes (code text primary key, used_by uuid references auth.users on delete set null, used_at timestamptz);
alter table codes enable row level security;
grant all on codes to authenticated, service_role;
create policy mine on codes for select to authenticated using (used_by = auth.uid());
