-- Stand-in for plpgsql_check, so that a migration that creates it applies. `supabase db lint` meets the error.

create function plpgsql_check_function(
  funcoid regprocedure, relid regclass default 0, format text default 'text', fatal_errors boolean default true
) returns setof text language plpgsql as $$
begin
  raise exception 'plpgsql_check is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function plpgsql_check_function_tb(funcoid regprocedure, relid regclass default 0) returns setof record
language plpgsql as $$
begin
  raise exception 'plpgsql_check is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
