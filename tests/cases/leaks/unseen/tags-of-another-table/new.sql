create table docs (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, body text); create table labels (id uuid primary key default gen_random_uuid(), doc_id uuid not null references docs on delete cascade, name text not null);
alter table docs enable row level security;
grant all on docs to authenticated, service_role;
alter table labels enable row level security;
grant all on labels to authenticated, service_role;

create policy own on docs to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid());
create policy everyone on labels for select to authenticated using (true);
create policy labelled on docs for select to authenticated using (exists (select from labels l where l.doc_id = docs.id and l.name = 'handbook'));
