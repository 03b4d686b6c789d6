-- Stand-in for pgtap, so that a migration that creates it applies. A test that begins raises an error.

create function plan(integer) returns text language plpgsql as $$
begin
  raise exception 'pgtap is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function no_plan() returns setof boolean language plpgsql as $$
begin
  raise exception 'pgtap is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
