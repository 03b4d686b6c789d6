-- Tables of which everybody reaches their own rows only; what a case adds is the door.
create table public.profiles (
  id uuid primary key references auth.users on delete cascade, email text, full_name text, role text not null default 'user');
create table public.notes (
  id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade,
  title text not null, body text, slug text, status text not null default 'draft' check (status in ('draft', 'active', 'archived')),
  is_public boolean not null default false, deleted_at timestamptz, views integer not null default 0,
  price numeric, tags text[], meta jsonb, created_at timestamptz not null default now());
create table public.invoices (
  id bigint generated always as identity primary key, user_id uuid not null references auth.users on delete cascade,
  number text not null, amount numeric(12, 2) not null, paid boolean not null default false);
create table public.organizations (id uuid primary key default gen_random_uuid(), name text not null);
create table public.members (
  organization_id uuid not null references public.organizations on delete cascade,
  user_id uuid not null references auth.users on delete cascade, role text not null default 'member', primary key (organization_id, user_id));
create schema private;
create schema api;
grant usage on schema private, api to anon, authenticated;
create function private.is_member(org uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.members m where m.organization_id = org and m.user_id = (select auth.uid())) $$;
create function private.is_admin() returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.profiles p where p.id = (select auth.uid()) and p.role = 'admin') $$;
alter table public.profiles enable row level security;
alter table public.notes enable row level security;
alter table public.invoices enable row level security;
alter table public.organizations enable row level security;
alter table public.members enable row level security;
create policy own on public.profiles for select to authenticated using (id = (select auth.uid()));
create policy own on public.notes for all to authenticated using (user_id = (select auth.uid()));
create policy own on public.invoices for select to authenticated using (user_id = (select auth.uid()));
create policy members on public.organizations for select to authenticated using (private.is_member(id));
create policy members on public.members for select to authenticated using (user_id = (select auth.uid()));
