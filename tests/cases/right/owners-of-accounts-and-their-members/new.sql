-- Nobody is a member of their own account, so a row is one user's as the owner or as the member, with other rights.
create table account_members (id uuid primary key default gen_random_uuid(), account_owner_id uuid not null references auth.users on delete cascade,
  member_user_id uuid references auth.users on delete cascade, status text not null default 'pending' check (status in ('pending', 'accepted')),
  check (member_user_id is null or account_owner_id <> member_user_id));
alter table account_members enable row level security;
grant select, insert, update, delete on account_members to authenticated;
create policy owners on account_members to authenticated using (account_owner_id = auth.uid()) with check (account_owner_id = auth.uid());
create policy members on account_members for select to authenticated using (member_user_id = auth.uid() and status = 'accepted');
