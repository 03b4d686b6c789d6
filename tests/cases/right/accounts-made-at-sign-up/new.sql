-- The id is the user's by its policies alone; who made and last changed the row refers to users, too.
create table accounts (id uuid primary key default gen_random_uuid(), name text not null,
  made_by uuid references auth.users, changed_by uuid references auth.users);
create table documents (id uuid primary key default gen_random_uuid(), account_id uuid not null references accounts on delete cascade, title text not null);
alter table accounts enable row level security;
alter table documents enable row level security;
grant select, insert, update, delete on accounts, documents to authenticated, service_role;
create policy read on accounts for select to authenticated using ((select auth.uid()) = id);
create policy change on accounts for update to authenticated using ((select auth.uid()) = id) with check ((select auth.uid()) = id);
create policy own on documents to authenticated using (account_id = (select auth.uid())) with check (account_id = (select auth.uid()));
create function make_account() returns trigger language plpgsql security definer set search_path = '' as
  $$ begin insert into public.accounts (id, name) values (new.id, split_part(new.email, '@', 1)); return new; end $$;
create trigger make_account after insert on auth.users for each row execute function make_account();
revoke execute on function make_account() from public, anon, authenticated;
