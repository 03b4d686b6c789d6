create table public.invitations (id uuid primary key default gen_random_uuid(), organization_id uuid not null references public.organizations,
  invited_by uuid not null references auth.users, email text not null, token text not null unique default encode(extensions.gen_random_bytes(16), 'hex'), accepted_at timestamptz);
alter table public.invitations enable row level security;
create policy own on public.invitations for all to authenticated using (invited_by = (select auth.uid()));
create function public.accept_invitation(invitation_token text) returns uuid language plpgsql security definer set search_path = '' as $$
declare joined uuid;
begin
  update public.invitations i set accepted_at = now() where i.token = invitation_token and i.accepted_at is null returning i.organization_id into joined;
  if joined is null then raise exception 'no such invitation'; end if;
  insert into public.members values (joined, auth.uid(), 'member');
  return joined;
end
$$;
