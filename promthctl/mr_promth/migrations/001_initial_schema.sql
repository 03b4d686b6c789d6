-- 001_initial_schema: API keys, chats with their messages, saved prompts and user profiles.
-- Safe to run again: what exists is kept, and policies, triggers and grants are put back as written here.

-- tables ------------------------------------------------------------------------------------------

create table if not exists public.api_keys (
  id            uuid not null default gen_random_uuid(),
  user_id       uuid not null,
  provider      varchar(50) not null,
  encrypted_key text not null,
  key_hash      text not null,
  masked_key    varchar(20) not null,
  last_used     timestamptz,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  constraint api_keys_pkey primary key (id),
  constraint api_keys_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists public.chat_sessions (
  id         uuid not null default gen_random_uuid(),
  user_id    uuid not null,
  title      varchar(255) not null default 'New Chat',
  metadata   jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint chat_sessions_pkey primary key (id),
  constraint chat_sessions_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists public.prompts (
  id          uuid not null default gen_random_uuid(),
  user_id     uuid not null,
  title       varchar(255) not null,
  description text,
  content     text not null,
  tags        text[],
  is_public   boolean not null default false,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  constraint prompts_pkey primary key (id),
  constraint prompts_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade
);

create table if not exists public.messages (
  id                  uuid not null default gen_random_uuid(),
  session_id          uuid not null,
  role                varchar(20) not null,
  content             text not null,
  provider_message_id varchar(255),
  metadata            jsonb not null default '{}',
  created_at          timestamptz not null default now(),
  constraint messages_pkey primary key (id),
  constraint messages_session_id_fkey
    foreign key (session_id) references public.chat_sessions (id) on delete cascade,
  constraint messages_role_check check (role in ('user', 'assistant', 'system'))
);

create table if not exists public.user_profiles (
  id          uuid not null,
  email       varchar(255) not null,
  name        varchar(255),
  preferences jsonb not null default '{}',
  avatar_url  text,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  constraint user_profiles_pkey primary key (id),
  constraint user_profiles_id_fkey foreign key (id) references auth.users (id) on delete cascade,
  constraint user_profiles_email_key unique (email)
);

comment on table public.api_keys is 'A user''s provider API keys, encrypted by the app.';
comment on column public.api_keys.encrypted_key is 'AES-256-GCM; base64 of iv (12 bytes), tag (16 bytes), ciphertext.';
comment on column public.api_keys.key_hash is 'SHA-256 of the plain key, in hex.';
comment on column public.api_keys.masked_key is 'First four and last three characters, for display.';
comment on table public.chat_sessions is 'A conversation of one user.';
comment on table public.prompts is 'A saved prompt template.';
comment on column public.prompts.is_public is 'Readable by every signed-in user when true.';
comment on table public.messages is 'A message in a chat session; it belongs to the session''s owner.';
comment on column public.messages.provider_message_id is 'The id the AI provider gave the message, if any.';
comment on table public.user_profiles is 'What the app knows about a user beyond auth.users; the id is the user''s.';

-- indexes: for the foreign keys, the policies and the newest-first lists --------------------------

create index if not exists api_keys_user_id_provider_idx on public.api_keys (user_id, provider);
create index if not exists chat_sessions_user_id_updated_at_idx on public.chat_sessions (user_id, updated_at desc);
create index if not exists prompts_user_id_updated_at_idx on public.prompts (user_id, updated_at desc);
create index if not exists prompts_public_updated_at_idx on public.prompts (updated_at desc) where is_public;
create index if not exists messages_session_id_created_at_idx on public.messages (session_id, created_at desc);

-- updated_at --------------------------------------------------------------------------------------

create or replace function public.update_updated_at_column()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  new.updated_at = now();
  return new;
end;
$$;

comment on function public.update_updated_at_column() is 'Trigger: stamps updated_at on every update.';

-- A trigger needs no execute right to fire, so nobody is given one.
revoke all on function public.update_updated_at_column() from public, anon, authenticated, service_role;

create or replace trigger update_api_keys_updated_at
  before update on public.api_keys
  for each row execute function public.update_updated_at_column();

create or replace trigger update_chat_sessions_updated_at
  before update on public.chat_sessions
  for each row execute function public.update_updated_at_column();

create or replace trigger update_prompts_updated_at
  before update on public.prompts
  for each row execute function public.update_updated_at_column();

create or replace trigger update_user_profiles_updated_at
  before update on public.user_profiles
  for each row execute function public.update_updated_at_column();

-- grants: older projects give anon and authenticated all rights by default, new ones none ---------

revoke all on table public.api_keys, public.chat_sessions, public.prompts, public.messages, public.user_profiles
  from public, anon, authenticated;

grant select, insert, update, delete
  on table public.api_keys, public.chat_sessions, public.prompts, public.messages, public.user_profiles
  to authenticated;

grant all
  on table public.api_keys, public.chat_sessions, public.prompts, public.messages, public.user_profiles
  to service_role;

-- row level security ------------------------------------------------------------------------------

alter table public.api_keys enable row level security;
alter table public.chat_sessions enable row level security;
alter table public.prompts enable row level security;
alter table public.messages enable row level security;
alter table public.user_profiles enable row level security;

-- api_keys: the owner's
drop policy if exists api_keys_select_own on public.api_keys;
create policy api_keys_select_own on public.api_keys
  for select to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists api_keys_insert_own on public.api_keys;
create policy api_keys_insert_own on public.api_keys
  for insert to authenticated
  with check (user_id = (select auth.uid()));

drop policy if exists api_keys_update_own on public.api_keys;
create policy api_keys_update_own on public.api_keys
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists api_keys_delete_own on public.api_keys;
create policy api_keys_delete_own on public.api_keys
  for delete to authenticated
  using (user_id = (select auth.uid()));

-- chat_sessions: the owner's
drop policy if exists chat_sessions_select_own on public.chat_sessions;
create policy chat_sessions_select_own on public.chat_sessions
  for select to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists chat_sessions_insert_own on public.chat_sessions;
create policy chat_sessions_insert_own on public.chat_sessions
  for insert to authenticated
  with check (user_id = (select auth.uid()));

drop policy if exists chat_sessions_update_own on public.chat_sessions;
create policy chat_sessions_update_own on public.chat_sessions
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists chat_sessions_delete_own on public.chat_sessions;
create policy chat_sessions_delete_own on public.chat_sessions
  for delete to authenticated
  using (user_id = (select auth.uid()));

-- prompts: the owner's; public ones are readable by every signed-in user
drop policy if exists prompts_select_own_or_public on public.prompts;
create policy prompts_select_own_or_public on public.prompts
  for select to authenticated
  using (user_id = (select auth.uid()) or is_public);

drop policy if exists prompts_insert_own on public.prompts;
create policy prompts_insert_own on public.prompts
  for insert to authenticated
  with check (user_id = (select auth.uid()));

drop policy if exists prompts_update_own on public.prompts;
create policy prompts_update_own on public.prompts
  for update to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists prompts_delete_own on public.prompts;
create policy prompts_delete_own on public.prompts
  for delete to authenticated
  using (user_id = (select auth.uid()));

-- messages: through the session; the array is built once per statement and answered from the index
drop policy if exists messages_select_own on public.messages;
create policy messages_select_own on public.messages
  for select to authenticated
  using (session_id = any (array(select id from public.chat_sessions where user_id = (select auth.uid()))));

drop policy if exists messages_insert_own on public.messages;
create policy messages_insert_own on public.messages
  for insert to authenticated
  with check (session_id = any (array(select id from public.chat_sessions where user_id = (select auth.uid()))));

drop policy if exists messages_update_own on public.messages;
create policy messages_update_own on public.messages
  for update to authenticated
  using (session_id = any (array(select id from public.chat_sessions where user_id = (select auth.uid()))))
  with check (session_id = any (array(select id from public.chat_sessions where user_id = (select auth.uid()))));

drop policy if exists messages_delete_own on public.messages;
create policy messages_delete_own on public.messages
  for delete to authenticated
  using (session_id = any (array(select id from public.chat_sessions where user_id = (select auth.uid()))));

-- user_profiles: the id is the user
drop policy if exists user_profiles_select_own on public.user_profiles;
create policy user_profiles_select_own on public.user_profiles
  for select to authenticated
  using (id = (select auth.uid()));

drop policy if exists user_profiles_insert_own on public.user_profiles;
create policy user_profiles_insert_own on public.user_profiles
  for insert to authenticated
  with check (id = (select auth.uid()));

drop policy if exists user_profiles_update_own on public.user_profiles;
create policy user_profiles_update_own on public.user_profiles
  for update to authenticated
  using (id = (select auth.uid()))
  with check (id = (select auth.uid()));

drop policy if exists user_profiles_delete_own on public.user_profiles;
create policy user_profiles_delete_own on public.user_profiles
  for delete to authenticated
  using (id = (select auth.uid()));

-- profiles of users who signed up earlier, except those with no email or one already taken --------

insert into public.user_profiles (id, email)
select id, email
from auth.users
where email <> ''
on conflict do nothing;
