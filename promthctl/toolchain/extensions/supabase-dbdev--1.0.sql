-- Stand-in for database.dev's installer: of its packages, those that promthctl brings along can be installed.

create function dbdev.install(package_name text) returns boolean language plpgsql set search_path = '' as $$
begin
  if not exists (select from pg_catalog.pg_available_extensions where name = package_name) then
    raise exception '% is not available on the embedded engine: database.dev was not asked', package_name
      using errcode = 'feature_not_supported';
  end if;
  return true;
end $$;
