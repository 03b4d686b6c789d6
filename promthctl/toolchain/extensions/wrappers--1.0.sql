-- Stand-in for wrappers 0.5. Its handlers are native code: foreign data wrappers, servers and foreign tables can be made,
-- and a query of one ends with "cannot accept a value of type fdw_handler", because nothing is asked elsewhere.

create table wrappers_fdw_stats (
  fdw_name text primary key,
  create_times bigint,
  rows_in bigint,
  rows_out bigint,
  bytes_in bigint,
  bytes_out bigint,
  metadata jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

do $$
declare wrapper text;
begin
  foreach wrapper in array array['airtable', 'auth0', 'big_query', 'click_house', 'cognito', 'duckdb', 'firebase',
    'hello_world', 'iceberg', 'logflare', 'mssql', 'redis', 's3', 's3vectors', 'stripe', 'wasm']
  loop
    execute format('create function %I() returns fdw_handler language internal as ''fdw_handler_in''',
                   wrapper || '_fdw_handler');
    execute format('create function %I(options text[], catalog oid) returns void language plpgsql as ''begin end''',
                   wrapper || '_fdw_validator');
    execute format('create function %I() returns table (name text, version text, author text, website text)
                      language sql as %L', wrapper || '_fdw_meta',
                   format('select %L, null::text, null::text, null::text', wrapper));
  end loop;
end $$;
