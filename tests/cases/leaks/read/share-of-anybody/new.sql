create table docs (id uuid primary key default gen_random_uuid(), owner_id uuid not null references auth.users on delete cascade, body text);
create table shares (doc_id uuid references docs on delete cascade, user_id uuid references auth.users on delete cascade, primary key (doc_id, user_id));
alter table docs enable row level security; alter table shares enable row level security;
grant all on docs, shares to authenticated, service_role;
create function has_share(doc uuid) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.shares where doc_id = doc) $$;
create policy own on docs to authenticated using (owner_id = auth.uid()) with check (owner_id = auth.uid());
create policy shared on docs for select to authenticated using (has_share(id));
create policy mine on shares for select to authenticated using (user_id = auth.uid());
