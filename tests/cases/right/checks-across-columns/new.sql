-- What is in one column decides about another: none of the words of these checks is a time or an id.
create table sessions (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users, scope text not null, room_id uuid,
  status text not null default 'active', closed_at timestamptz, closed_by uuid references auth.users,
  check (scope in ('general', 'room')), check (status in ('active', 'closed', 'cancelled')),
  check (scope = 'general' and room_id is null or scope = 'room' and room_id is not null),
  check (status = 'active' and closed_at is null and closed_by is null
    or status in ('closed', 'cancelled') and closed_at is not null and closed_by is not null));
alter table sessions enable row level security;
grant select, insert, update, delete on sessions to authenticated;
create policy own on sessions to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid() and (closed_by is null or closed_by = auth.uid()));
