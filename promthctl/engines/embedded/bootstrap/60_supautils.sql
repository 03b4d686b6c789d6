-- What the supautils library lets postgres do on the hosted platform although it is no superuser, done with event
-- triggers: the right is given when such a statement starts and taken back when it ends. Should the statement fail,
-- the transaction takes it back. Everything else stays refused, `alter table auth.users ...` for one.
-- `create event trigger` itself fires no event trigger and so stays a superuser's.

create function extensions.supautils_begin() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
  if tg_tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER') then
    grant supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin to postgres;
  elsif tg_tag not like '% PUBLICATION' or current_query() ~* '\m(all\s+tables|tables\s+in\s+schema)\M' then
    -- Two such statements in two databases must not change this role at the same time.
    lock table pg_authid in share update exclusive mode;
    alter role postgres superuser;
  end if;
end $$;

create function extensions.supautils_end() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare wrapper name;
begin
  if tg_tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER') then
    revoke supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin from postgres;
  elsif (select rolsuper from pg_authid where rolname = 'postgres') then
    alter role postgres nosuperuser;
  end if;
  -- `create server` takes the right to use the wrapper that the extension has brought.
  if tg_tag = 'CREATE EXTENSION' then
    for wrapper in select fdwname from pg_foreign_data_wrapper where fdwowner = 'supabase_admin'::regrole loop
      execute format('grant usage on foreign data wrapper %I to postgres with grant option', wrapper);
    end loop;
  end if;
end $$;

create event trigger supautils_begin on ddl_command_start
  when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER', 'CREATE PUBLICATION', 'ALTER PUBLICATION',
               'ALTER EXTENSION', 'CREATE FOREIGN DATA WRAPPER')
  execute function extensions.supautils_begin();
create event trigger supautils_end on ddl_command_end
  when tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER', 'CREATE PUBLICATION', 'ALTER PUBLICATION',
               'ALTER EXTENSION', 'CREATE FOREIGN DATA WRAPPER', 'CREATE EXTENSION')
  execute function extensions.supautils_end();
-- Also under session_replication_role = replica, which data imports set.
alter event trigger supautils_begin enable always;
alter event trigger supautils_end enable always;
