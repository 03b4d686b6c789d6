-- Stand-in for wrappers. Its handlers are native code: `create foreign data wrapper ... handler stripe_fdw_handler`
-- fails because there is no such function.

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
