-- Stand-in for database.dev's basejump-supabase_test_helpers: the same functions, for pgTAP tests. Made with the rights
-- of the role that creates it, as pg_tle would; is() is pgTAP's, found when it is called.

create schema tests;
create schema test_overrides;
grant usage on schema tests, test_overrides to anon, authenticated, service_role;
-- Functions that tests add there are for these roles, too.
alter default privileges in schema tests, test_overrides
  grant execute on functions to anon, authenticated, service_role;

create function tests.create_supabase_user(
  identifier text, email text default null, phone text default null, metadata jsonb default null
) returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare made uuid := gen_random_uuid();
begin
  insert into auth.users (id, email, phone, raw_user_meta_data, raw_app_meta_data, created_at, updated_at)
  values (made, coalesce(create_supabase_user.email, made || '@test.com'), create_supabase_user.phone,
          jsonb_build_object('test_identifier', identifier) || coalesce(metadata, '{}'), '{}', now(), now());
  return made;
end $$;

create function tests.get_supabase_user(identifier text)
returns json language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare found json;
begin
  select json_build_object('id', id, 'email', email, 'phone', phone, 'raw_user_meta_data', raw_user_meta_data,
                           'raw_app_meta_data', raw_app_meta_data)
    into found from auth.users where raw_user_meta_data ->> 'test_identifier' = identifier limit 1;
  if found is null then
    raise exception 'User with identifier % not found', identifier;
  end if;
  return found;
end $$;

-- Volatile, as the original: it is asked for each row, and so never of a table without any.
create function tests.get_supabase_uid(identifier text)
returns uuid language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return (tests.get_supabase_user(identifier) ->> 'id')::uuid;
end $$;

create function tests.authenticate_as(identifier text) returns void language plpgsql as $$
declare person json := tests.get_supabase_user(identifier);
begin
  perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', json_build_object(
    'sub', person ->> 'id', 'email', person ->> 'email', 'phone', person ->> 'phone',
    'user_metadata', person -> 'raw_user_meta_data', 'app_metadata', person -> 'raw_app_meta_data')::text, true);
end $$;

create function tests.authenticate_as_service_role() returns void language plpgsql as $$
begin
  perform set_config('role', 'service_role', true), set_config('request.jwt.claims', null, true);
end $$;

create function tests.clear_authentication() returns void language plpgsql as $$
begin
  perform set_config('role', 'anon', true), set_config('request.jwt.claims', null, true);
end $$;

create function tests.rls_enabled(testing_schema text) returns text language plpgsql as $$
begin
  return is(
    (select count(*)::int from pg_class
      where relnamespace = to_regnamespace(quote_ident(testing_schema)) and relkind in ('r', 'p') and not relrowsecurity),
    0, format('All tables in the %s schema should have row level security enabled', testing_schema));
end $$;

create function tests.rls_enabled(testing_schema text, testing_table text) returns text language plpgsql as $$
begin
  return is(
    (select count(*)::int from pg_class
      where relnamespace = to_regnamespace(quote_ident(testing_schema)) and relname = testing_table and relrowsecurity),
    1, format('%s table in the %s schema should have row level security enabled', testing_table, testing_schema));
end $$;

create function test_overrides.now() returns timestamptz language plpgsql stable as $$
begin
  return coalesce(nullif(current_setting('tests.frozen_time', true), '')::timestamptz, pg_catalog.now());
end $$;

-- now() is the one of test_overrides from here on, where no function has a search_path of its own.
create function tests.freeze_time(frozen_time timestamptz) returns void language plpgsql as $$
begin
  if current_setting('search_path') not like 'test_overrides,%' then
    perform set_config('tests.original_search_path', current_setting('search_path'), true);
    perform set_config('search_path', format('test_overrides,%s,pg_catalog', current_setting('search_path')), true);
  end if;
  perform set_config('tests.frozen_time', frozen_time::text, true);
end $$;

create function tests.unfreeze_time() returns void language plpgsql as $$
begin
  perform set_config('tests.frozen_time', null, true),
          set_config('search_path', current_setting('tests.original_search_path'), true);
end $$;

revoke execute on all functions in schema tests, test_overrides from public;
grant execute on all functions in schema tests, test_overrides to anon, authenticated, service_role;
