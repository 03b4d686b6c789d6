create table docs (id uuid primary key default gen_random_uuid(), owner_id uuid not null references auth.users on delete cascade, body text not null default '');
create table collaborators (doc_id uuid not null references docs on delete cascade, user_id uuid not null references auth.users on delete cascade, level text not null default 'read' check (level in ('read', 'write')), primary key (doc_id, user_id));
create function doc_owner(doc uuid) returns uuid language sql stable security definer set search_path = '' as $$ select owner_id from public.docs where id = doc $$;
create function may(doc uuid, levels text[]) returns boolean language sql stable security definer set search_path = '' as
  $$ select exists (select from public.collaborators c where c.doc_id = doc and c.user_id = auth.uid() and c.level = any (levels)) $$;
alter table docs enable row level security;
grant all on docs to authenticated, service_role;
alter table collaborators enable row level security;
grant all on collaborators to authenticated, service_role;
create policy own on docs to authenticated using (owner_id = auth.uid()) with check (owner_id = auth.uid());
create policy read on docs for select to authenticated using (may(id, '{read,write}'));
create policy write on docs for update to authenticated using (may(id, '{write}')) with check (owner_id <> auth.uid() and may(id, '{write}'));
create policy see on collaborators for select to authenticated using (user_id = auth.uid() or doc_owner(doc_id) = auth.uid());
create policy invite on collaborators for all to authenticated using (doc_owner(doc_id) = auth.uid()) with check (doc_owner(doc_id) = auth.uid());
