-- Stand-in for pg_net 0.14. On the hosted platform a request is queued and sent later, so the caller never fails on
-- it; here it is queued, a notice says so, and it stays in the queue.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create schema net;

create domain net.http_method as text check (value ~* '^(get|post|delete)$');
create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type net.http_response as (status_code integer, headers jsonb, body text);
create type net.http_response_result as (status net.request_status, message text, response net.http_response);

create sequence net.http_request_queue_id_seq;
create table net.http_request_queue (
  id bigint not null default nextval('net.http_request_queue_id_seq') primary key,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds integer not null
);
create table net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);

create function net._queue(method text, url text, params jsonb, headers jsonb, body bytea, timeout_milliseconds integer)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  query text := (select pg_catalog.string_agg(key || '=' || value, '&') from pg_catalog.jsonb_each_text(params));
  request bigint;
begin
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (method, url || coalesce('?' || query, ''), headers, body, timeout_milliseconds)
  returning id into request;
  raise notice 'pg_net is not available on the embedded engine: % request % is queued, not sent', method, request;
  return request;
end $$;

create function net.http_get(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000
) returns bigint language sql security definer set search_path = pg_catalog, pg_temp as
$$ select net._queue('GET', url, params, headers, null, timeout_milliseconds) $$;

create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{"Content-Type": "application/json"}',
  timeout_milliseconds integer default 5000
) returns bigint language sql security definer set search_path = pg_catalog, pg_temp as
$$ select net._queue('POST', url, params, headers, pg_catalog.convert_to(body::text, 'utf8'), timeout_milliseconds) $$;

create function net.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000,
  body jsonb default null
) returns bigint language sql security definer set search_path = pg_catalog, pg_temp as
$$ select net._queue('DELETE', url, params, headers, pg_catalog.convert_to(body::text, 'utf8'), timeout_milliseconds) $$;

create function net.http_collect_response(request_id bigint, async boolean default true)
returns net.http_response_result language sql set search_path = pg_catalog, pg_temp as
$$ select row('PENDING', 'pg_net is not available on the embedded engine', null)::net.http_response_result $$;

create function net.worker_restart() returns boolean language sql as $$ select true $$;
create function net.check_worker_is_up() returns void language plpgsql as $$
begin
  raise exception 'pg_net is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function net.wait_until_running() returns void language sql as $$ $$;
create function net.wake() returns void language sql as $$ $$;
create function net._await_response(request_id bigint) returns boolean language sql as $$ select false $$;
create function net._http_collect_response(request_id bigint, async boolean default true)
returns net.http_response_result language sql set search_path = '' as
$$ select net.http_collect_response(request_id, async) $$;
create function net._urlencode_string(string varchar) returns text language sql immutable strict set search_path = '' as $$
  select pg_catalog.string_agg(case when part.letter ~ '^[A-Za-z0-9_.~-]$' then part.letter
           else (select pg_catalog.string_agg('%' || pg_catalog.upper(pg_catalog.lpad(pg_catalog.to_hex(
                          pg_catalog.get_byte(bytes, i)), 2, '0')), '' order by i)
                   from pg_catalog.generate_series(0, pg_catalog.length(bytes) - 1) i) end, '' order by part.place)
    from pg_catalog.regexp_split_to_table($1::text, '') with ordinality part (letter, place),
         pg_catalog.convert_to(part.letter, 'utf8') bytes
$$;
create function net._encode_url_with_params_array(url text, params_array text[]) returns text
language sql immutable set search_path = '' as
$$ select url || coalesce('?' || pg_catalog.array_to_string(params_array, '&'), '') $$;

revoke all on function net._queue from public;
grant usage on schema net to supabase_functions_admin, postgres, anon, authenticated, service_role;
grant all on all tables in schema net to postgres, anon, authenticated, service_role;
grant all on all sequences in schema net to postgres, anon, authenticated, service_role;
grant execute on function net.http_get, net.http_post, net.http_delete, net.http_collect_response
  to supabase_functions_admin, postgres, anon, authenticated, service_role;
