-- Stand-in for http 1.6. A call waits for its answer, so there is nothing honest to return: every one raises an error.
-- Only database.dev's list of versions has an answer, for its installer is one that comes with promthctl.
-- In a trigger it warns and answers 503, "service unavailable": a write must not fail because a server was not told.

create domain http_method as text;
create type http_header as (field varchar, value varchar);
create type http_response as (status integer, content_type varchar, headers http_header[], content varchar);
create type http_request as (
  method http_method, uri varchar, headers http_header[], content_type varchar, content varchar);

create function http_header(field varchar, value varchar) returns http_header language sql immutable as
$$ select $1, $2 $$;
create function _http_unavailable(name text, uri text) returns http_response language plpgsql as $$
declare reason text := format('%s is not available on the embedded engine: %s was not called', name, uri);
begin
  -- How database.dev's installer is fetched; pg_tle's stand-in knows whether it comes with promthctl.
  if uri ~ '^(GET )?https://api\.database\.dev/rest/v1/package_versions\?' then
    return row(200, 'application/json'::varchar, array[]::@extschema@.http_header[],
               '[{"version": "0.0.5", "sql": "-- not fetched"}]'::varchar);
  end if;
  if pg_trigger_depth() = 0 then
    raise exception '%', reason using errcode = 'feature_not_supported';
  end if;
  raise warning '%', reason;
  return row(503, 'text/plain'::varchar, array[]::@extschema@.http_header[], reason::varchar);
end $$;
create function http(request http_request) returns http_response language plpgsql as $$
begin
  return @extschema@._http_unavailable('http', concat_ws(' ', request.method, request.uri));
end $$;

do $$
declare signature text;
begin
  foreach signature in array array[
    'http_get(uri varchar)', 'http_get(uri varchar, data jsonb)', 'http_post(uri varchar, data jsonb)',
    'http_post(uri varchar, content varchar, content_type varchar)',
    'http_put(uri varchar, content varchar, content_type varchar)',
    'http_patch(uri varchar, content varchar, content_type varchar)', 'http_delete(uri varchar)',
    'http_delete(uri varchar, content varchar, content_type varchar)', 'http_head(uri varchar)']
  loop
    -- With the schema: a superuser runs this, and the schema's owner may have put a `format` of its own into it.
    execute pg_catalog.format('create function %s returns http_response language plpgsql as %L', signature,
      pg_catalog.format('begin return @extschema@._http_unavailable(%L, uri); end',
                        pg_catalog.split_part(signature, '(', 1)));
  end loop;
end $$;

-- Options of the next call: nothing to set, but no reason to fail.
create function http_set_curlopt(curlopt varchar, value varchar) returns boolean language sql as $$ select true $$;
create function http_reset_curlopt() returns boolean language sql as $$ select true $$;
create function http_list_curlopt() returns table (curlopt text, value text) language sql as
$$ select null::text, null::text where false $$;

create function urlencode(string varchar) returns text language sql strict immutable as $$
  select string_agg(case when length(character) > 0 and character ~ '^[A-Za-z0-9_.~-]$' then character
                         else (select string_agg('%' || upper(lpad(to_hex(get_byte(bytes, i)), 2, '0')), '')
                                 from generate_series(0, length(bytes) - 1) i) end, '' order by position)
    from (select character, convert_to(character, 'utf8') as bytes, position
            from regexp_split_to_table($1::text, '') with ordinality as part (character, position)) parts
$$;
create function urlencode(string bytea) returns text language sql strict immutable as
$$ select @extschema@.urlencode(convert_from(string, 'utf8')::varchar) $$;
create function urlencode(data jsonb) returns text language sql strict immutable as $$
  select string_agg(@extschema@.urlencode(key::varchar) || '=' || @extschema@.urlencode(value::varchar), '&')
    from jsonb_each_text(data)
$$;
create function text_to_bytea(data text) returns bytea language sql immutable strict as
$$ select convert_to(data, 'utf8') $$;
create function bytea_to_text(data bytea) returns text language sql immutable strict as
$$ select convert_from(data, 'utf8') $$;
