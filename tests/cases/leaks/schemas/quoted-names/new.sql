create schema "My App"; grant usage on schema "My App" to authenticated, service_role;
create table "My App"."User Notes" ("Id" uuid primary key default gen_random_uuid(), "User Id" uuid not null references auth.users on delete cascade,
  "State" text not null default 'in''ner');
alter table "My App"."User Notes" enable row level security; grant all on "My App"."User Notes" to authenticated, service_role;
create policy "Own or ""out" on "My App"."User Notes" to authenticated using ("User Id" = auth.uid() or "State" = 'out''er') with check ("User Id" = auth.uid());
