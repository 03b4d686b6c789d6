-- Stand-in for pg_graphql 1.5: what migrations grant on and comment for is there; a query answers with an error.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create sequence graphql.seq_schema_version as integer cycle;

create function graphql.resolve(
  query text, variables jsonb default '{}', "operationName" text default null, extensions jsonb default null
) returns jsonb language sql as
$$ select '{"errors": [{"message": "pg_graphql is not available on the embedded engine"}]}'::jsonb $$;
create function graphql._internal_resolve(
  query text, variables jsonb default '{}', "operationName" text default null, extensions jsonb default null
) returns jsonb language sql as $$ select graphql.resolve(query, variables, "operationName", extensions) $$;

create function graphql.get_schema_version() returns integer language sql security definer set search_path = pg_catalog, pg_temp as
$$ select last_value::integer from graphql.seq_schema_version $$;
create function graphql.increment_schema_version() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as
$$ begin perform pg_catalog.nextval('graphql.seq_schema_version'); end $$;
create function graphql.rebuild_schema() returns void language sql as $$ $$;

create function graphql.comment_directive(comment_ text) returns jsonb language sql immutable as
$$ select coalesce((regexp_match(comment_, '@graphql\((.+)\)'))[1]::jsonb, '{}') $$;
create function graphql.exception(message text) returns text language plpgsql as
$$ begin raise exception using errcode = '22000', message = message; end $$;

grant usage on schema graphql to postgres with grant option;
grant usage on schema graphql to anon, authenticated, service_role;
grant execute on all functions in schema graphql to postgres, anon, authenticated, service_role;
grant all on all sequences in schema graphql to postgres, anon, authenticated, service_role;
