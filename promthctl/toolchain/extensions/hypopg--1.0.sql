-- Stand-in for hypopg: hypothetical indexes need a library inside the server.

create function hypopg_create_index(sql_order text, out indexrelid oid, out indexname text) returns setof record
language plpgsql as $$
begin
  raise exception 'hypopg is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function hypopg_reset() returns void language sql as $$ $$;
