-- Stand-in for pgjwt 0.2 that works: sign and verify tokens with HS256, HS384 and HS512.

create function url_encode(data bytea) returns text language sql immutable strict as
$$ select rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=') $$;

create function url_decode(data text) returns bytea language sql immutable strict as
$$ select decode(rpad(translate(data, '-_', '+/'), (length(data) + 3) / 4 * 4, '='), 'base64') $$;

create function algorithm_sign(signables text, secret text, algorithm text) returns text language plpgsql immutable as $$
begin
  if algorithm not in ('HS256', 'HS384', 'HS512') then
    raise exception 'Cannot use "": No such hash algorithm' using detail = algorithm;
  end if;
  return @extschema@.url_encode(@extschema:pgcrypto@.hmac(signables, secret, replace(algorithm, 'HS', 'sha')));
end $$;

create function sign(payload json, secret text, algorithm text default 'HS256') returns text language sql immutable as $$
  with body as (
    select @extschema@.url_encode(convert_to(format('{"alg":"%s","typ":"JWT"}', algorithm), 'utf8')) || '.'
           || @extschema@.url_encode(convert_to(payload::text, 'utf8')) as text)
  select text || '.' || @extschema@.algorithm_sign(text, secret, algorithm) from body
$$;

create function try_cast_double(inp text) returns double precision language plpgsql immutable as
$$ begin return inp::double precision; exception when others then return null; end $$;

create function verify(token text, secret text, algorithm text default 'HS256')
returns table (header json, payload json, valid boolean) language sql stable as $$
  with parts as (
    select convert_from(@extschema@.url_decode(split_part(token, '.', 1)), 'utf8')::json as header,
           convert_from(@extschema@.url_decode(split_part(token, '.', 2)), 'utf8')::json as payload,
           split_part(token, '.', 3)
             = @extschema@.algorithm_sign(split_part(token, '.', 1) || '.' || split_part(token, '.', 2), secret, algorithm)
             as signed)
  select header, payload,
         signed and tstzrange(to_timestamp(@extschema@.try_cast_double(payload ->> 'nbf')),
                              to_timestamp(@extschema@.try_cast_double(payload ->> 'exp'))) @> current_timestamp
    from parts
$$;
