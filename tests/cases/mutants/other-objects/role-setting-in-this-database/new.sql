do $$ begin execute format($f$alter role anon in database %I set work_mem to %L$f$, current_database(), $v$1GB$v$); end $$;
