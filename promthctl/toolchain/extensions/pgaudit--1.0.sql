-- Stand-in for pgaudit: its settings can be set and do nothing, and nothing calls these functions. Dumps grant on them.

create function pgaudit_ddl_command_end() returns event_trigger language plpgsql set search_path = pg_catalog, pg_temp as
$$ begin end $$;
create function pgaudit_sql_drop() returns event_trigger language plpgsql set search_path = pg_catalog, pg_temp as
$$ begin end $$;
