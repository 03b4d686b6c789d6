-- What the supautils library lets postgres do on the hosted platform although it is no superuser, done with event
-- triggers: the right is given when such a statement starts and taken back when it ends. Should the statement fail,
-- the transaction takes it back. Everything else stays refused, `alter table auth.users ...` for one.
-- `create event trigger` itself fires no event trigger and so stays a superuser's.
--
-- What a migration has made must never run with these rights: not a validator of a wrapper, not the check of a domain
-- that a literal in a condition has. pg_temp is named last in each path here: unnamed, it would come before pg_catalog.

-- May this statement, the whole text that the client sent, be run by a superuser? It may if it is one publication of
-- all tables or of whole schemas, in which nothing can be computed, or moves an extension to another schema.
create function extensions.supautils_is_harmless(statement text) returns boolean
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  gap text := '(?:\s|--[^\n\r]*[\n\r]|/\*[^/]*\*/)';
  name text := '(?:[[:alpha:]_][[:alnum:]_$]*|"(?:[^"]|"")+")';
  schemas text := 'tables' || gap || '+in' || gap || '+schema' || gap || '+' || name
    || '(?:' || gap || '*,' || gap || '*(?:tables' || gap || '+in' || gap || '+schema' || gap || '+)?' || name || ')*';
  options text := '(?:' || gap || '*with' || gap || '*\((?:[^()'';]|''[^'']*'')*\))?';
begin
  return statement ~* ('^' || gap || '*(?:create' || gap || '+publication' || gap || '+' || name || gap || '+for' || gap
    || '+(?:all' || gap || '+tables|' || schemas || ')' || options
    || '|alter' || gap || '+extension' || gap || '+' || name || gap || '+set' || gap || '+schema' || gap || '+' || name
    || '|alter' || gap || '+publication' || gap || '+' || name || gap || '+(?:add|set|drop)' || gap || '+' || schemas
    || ')' || gap || '*;?' || gap || '*(?:--[^\n\r]*)?$');
end $$;

-- A validator is any function with these two arguments. While a transaction that has made one is open, and while one
-- that makes a wrapper is, the other kind waits: what was looked at below stays as it is until the wrapper is made.
create function extensions.supautils_validators(statement text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  number bigint := 4617203951; -- of our own lock
  own regprocedure;
begin
  if statement = 'CREATE FUNCTION' then
    if exists (select from pg_event_trigger_ddl_commands() c join pg_proc p on p.oid = c.objid
                where c.classid = 'pg_proc'::regclass and p.proargtypes = '1009 26'::oidvector) then
      perform pg_advisory_xact_lock_shared(number);
    end if;
  else
    if current_setting('transaction_isolation') <> 'read committed' then
      raise exception 'a foreign data wrapper can be made in a transaction of isolation level read committed only'
        using errcode = 'active_sql_transaction';
    end if;
    perform pg_advisory_xact_lock(number);
    select p.oid into own from pg_proc p join pg_authid o on o.oid = p.proowner
     where p.proargtypes = '1009 26'::oidvector and not o.rolsuper limit 1;
    if found then
      raise exception 'a foreign data wrapper takes the validator of an extension only, and % could be one', own
        using errcode = 'insufficient_privilege', hint = 'Give that function other arguments than (text[], oid).';
    end if;
  end if;
end $$;

-- What an extension has made is a superuser's, who must own nothing that a migration can hang code on: a trigger,
-- a foreign key through a cast, an argument of a function that runs with its owner's rights.
create function extensions.supautils_hand_over() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare found record;
begin
  for found in
    select c.oid::regclass as name, c.relnamespace::regnamespace as schema
      from pg_class c join pg_depend d on d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e'
      join pg_authid o on o.oid = c.relowner
     where o.rolsuper and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and not exists (
       select from pg_depend s where s.objid = c.oid and s.classid = 'pg_class'::regclass and s.deptype in ('a', 'i')
         and s.refclassid = 'pg_class'::regclass)
  loop
    execute format('alter table %s owner to promthctl_extensions', found.name);
    execute format('grant usage on schema %s to promthctl_extensions', found.schema);
  end loop;
  for found in
    select p.oid::regprocedure as name, p.pronamespace::regnamespace as schema
      from pg_proc p join pg_depend d on d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
      join pg_language l on l.oid = p.prolang join pg_authid o on o.oid = p.proowner
     where o.rolsuper and l.lanpltrusted and d.refobjid = any (array( -- an array: looked up once, and an extension may have a thousand functions
       select d2.refobjid from pg_proc p2 join pg_depend d2 on d2.objid = p2.oid and d2.classid = 'pg_proc'::regclass
        where d2.deptype = 'e' and p2.prosecdef))
  loop
    execute format('alter routine %s owner to promthctl_extensions', found.name);
    execute format('grant usage on schema %s to promthctl_extensions', found.schema);
  end loop;
end $$;
revoke execute on function extensions.supautils_is_harmless, extensions.supautils_validators,
  extensions.supautils_hand_over from public, postgres;

create function extensions.supautils_begin() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER') then
    grant supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin to postgres;
  elsif tg_tag = 'CREATE FOREIGN DATA WRAPPER' or extensions.supautils_is_harmless(current_query()) then
    -- Two such statements in two databases must not change this role at the same time.
    lock table pg_catalog.pg_authid in share update exclusive mode;
    if tg_tag = 'CREATE FOREIGN DATA WRAPPER' then
      perform extensions.supautils_validators(tg_tag);
    end if;
    alter role postgres superuser;
  end if;
end $$;

create function extensions.supautils_end() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare wrapper name;
begin
  if tg_tag = 'CREATE FUNCTION' then
    perform extensions.supautils_validators(tg_tag);
  elsif tg_tag in ('CREATE POLICY', 'ALTER POLICY', 'DROP POLICY', 'DROP TRIGGER') then
    revoke supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin from postgres;
  elsif (select rolsuper from pg_catalog.pg_authid where rolname = 'postgres') then
    alter role postgres nosuperuser;
  end if;
  if tg_tag in ('CREATE EXTENSION', 'ALTER EXTENSION') then
    perform extensions.supautils_hand_over();
    -- `create server` takes the right to use the wrapper that the extension has brought.
    for wrapper in
      select fdwname from pg_catalog.pg_foreign_data_wrapper where fdwowner = 'supabase_admin'::pg_catalog.regrole
    loop
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
               'ALTER EXTENSION', 'CREATE FOREIGN DATA WRAPPER', 'CREATE EXTENSION', 'CREATE FUNCTION')
  execute function extensions.supautils_end();
-- Also under session_replication_role = replica, which data imports set.
alter event trigger supautils_begin enable always;
alter event trigger supautils_end enable always;

select extensions.supautils_hand_over(); -- of the extensions that are there already
