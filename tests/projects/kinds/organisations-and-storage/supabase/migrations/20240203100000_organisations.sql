create type public.member_role as enum ('owner', 'admin', 'member');

create table public.organisations (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 80),
  slug text not null unique,
  created_by uuid not null default auth.uid() references auth.users (id) on delete cascade
);

create table public.memberships (
  organisation_id uuid not null references public.organisations (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role public.member_role not null default 'member',
  primary key (organisation_id, user_id)
);
create index on public.memberships (user_id);
create index on public.organisations (created_by);

-- As the owner of the function, so that the policies on memberships do not call themselves.
create function public.is_member(organisation uuid) returns boolean
language sql stable security definer set search_path = ''
as $$ select exists (select 1 from public.memberships m where m.organisation_id = $1 and m.user_id = (select auth.uid())) $$;

alter table public.organisations enable row level security;
alter table public.memberships enable row level security;

create policy "members see their organisations" on public.organisations for select to authenticated
  using (public.is_member(id) or created_by = (select auth.uid()));
create policy "users create organisations" on public.organisations for insert to authenticated
  with check (created_by = (select auth.uid()));
create policy "owners change organisations" on public.organisations for update to authenticated
  using (created_by = (select auth.uid())) with check (created_by = (select auth.uid()));
create policy "owners delete organisations" on public.organisations for delete to authenticated
  using (created_by = (select auth.uid()));
create policy "users see their memberships" on public.memberships for select to authenticated
  using (user_id = (select auth.uid()));

create function public.add_owner() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.memberships (organisation_id, user_id, role) values (new.id, new.created_by, 'owner');
  return new;
end;
$$;
create trigger add_owner after insert on public.organisations for each row execute function public.add_owner();
