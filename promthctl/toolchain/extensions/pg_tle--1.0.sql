-- Stand-in for pg_tle, which the dbdev package manager rests on. What comes with promthctl is there without being
-- installed; installing anything else raises an error.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create type pgtle.password_types as enum (
  'PASSWORD_TYPE_PLAINTEXT', 'PASSWORD_TYPE_MD5', 'PASSWORD_TYPE_SCRAM_SHA_256');

create function pgtle.available_extensions() returns table (name name, default_version text, comment text)
language sql as $$ select null::name, null::text, null::text where false $$;
create function pgtle.install_extension(
  name text, version text, description text, ext text, requires text[] default null, schema text default null
) returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_available_extensions available where available.name = install_extension.name) then
    return true;
  end if;
  raise exception 'pg_tle is not available on the embedded engine: % was not installed', name
    using errcode = 'feature_not_supported';
end $$;
create function pgtle.uninstall_extension_if_exists(extname text) returns boolean language sql as $$ select false $$;

grant usage on schema pgtle to postgres;
