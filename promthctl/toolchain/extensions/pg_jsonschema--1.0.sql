-- Stand-in for pg_jsonschema 0.3 with the keywords that check constraints use. A schema with any other keyword raises
-- an error instead of passing unchecked.

create function _json_type(value jsonb, wanted text) returns boolean language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when wanted = 'integer' then case when pg_catalog.jsonb_typeof(value) = 'number'
                                                then (value #>> '{}')::numeric % 1 = 0 else false end
              else pg_catalog.jsonb_typeof(value) = wanted end
$$;

create function _jsonschema_errors(schema jsonb, instance jsonb, path text) returns setof text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  kind text := pg_catalog.jsonb_typeof(instance);
  keyword text;
  rule jsonb;
  matches integer;
begin
  if pg_catalog.jsonb_typeof(schema) = 'boolean' then
    if schema = 'false' then
      return next path || ': nothing is allowed here';
    end if;
    return;
  end if;
  for keyword, rule in select * from pg_catalog.jsonb_each(schema) loop
    if keyword in ('$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'format') then
      continue;
    elsif keyword = 'type' then
      if not exists (
        select from pg_catalog.jsonb_array_elements_text(
          case pg_catalog.jsonb_typeof(rule) when 'array' then rule else pg_catalog.jsonb_build_array(rule) end) t
         where @extschema@._json_type(instance, t)
      ) then
        return next path || ': ' || instance || ' is not of type ' || rule;
      end if;
    elsif keyword = 'enum' then
      if not rule @> pg_catalog.jsonb_build_array(instance) then
        return next path || ': ' || instance || ' is not one of ' || rule;
      end if;
    elsif keyword = 'const' then
      if rule <> instance then
        return next path || ': ' || instance || ' is not ' || rule;
      end if;
    elsif keyword in ('allOf', 'anyOf', 'oneOf') then
      select pg_catalog.count(*) into matches from pg_catalog.jsonb_array_elements(rule) r
       where not exists (select from @extschema@._jsonschema_errors(r, instance, path));
      if (keyword = 'allOf' and matches < pg_catalog.jsonb_array_length(rule)) or (keyword = 'anyOf' and matches = 0)
         or (keyword = 'oneOf' and matches <> 1) then
        return next path || ': ' || matches || ' of the schemas in ' || keyword || ' match';
      end if;
    elsif keyword = 'not' then
      if not exists (select from @extschema@._jsonschema_errors(rule, instance, path)) then
        return next path || ': matches the schema in not';
      end if;
    elsif keyword in ('required', 'properties', 'additionalProperties', 'minProperties', 'maxProperties') then
      if kind <> 'object' then
        continue;
      elsif keyword = 'required' then
        return query select path || ': ' || r || ' is required' from pg_catalog.jsonb_array_elements_text(rule) r
                      where not instance ? r;
      elsif keyword = 'properties' then
        return query select e from pg_catalog.jsonb_each(rule) p (key, sub),
                                   @extschema@._jsonschema_errors(p.sub, instance -> p.key, path || '/' || p.key) e
                      where instance ? p.key;
      elsif keyword = 'additionalProperties' then
        return query select e from pg_catalog.jsonb_each(instance) p (key, item),
                                   @extschema@._jsonschema_errors(rule, p.item, path || '/' || p.key) e
                      where not coalesce(schema -> 'properties', '{}') ? p.key;
      elsif (select pg_catalog.count(*) from pg_catalog.jsonb_object_keys(instance))
            not between coalesce((schema ->> 'minProperties')::integer, 0)
                    and coalesce((schema ->> 'maxProperties')::integer, 2147483647) then
        return next path || ': number of properties';
      end if;
    elsif keyword in ('items', 'minItems', 'maxItems', 'uniqueItems') then
      if kind <> 'array' then
        continue;
      elsif keyword = 'items' then
        return query select e from pg_catalog.jsonb_array_elements(instance) with ordinality i (item, n),
                                   @extschema@._jsonschema_errors(rule, i.item, path || '/' || (i.n - 1)) e;
      elsif keyword = 'uniqueItems' then
        if rule = 'true' and pg_catalog.jsonb_array_length(instance)
           <> (select pg_catalog.count(distinct i) from pg_catalog.jsonb_array_elements(instance) i) then
          return next path || ': items are not unique';
        end if;
      elsif pg_catalog.jsonb_array_length(instance) not between coalesce((schema ->> 'minItems')::integer, 0)
                                                         and coalesce((schema ->> 'maxItems')::integer, 2147483647) then
        return next path || ': number of items';
      end if;
    elsif keyword in ('minLength', 'maxLength', 'pattern') then
      if kind <> 'string' then
        continue;
      elsif (keyword = 'pattern' and (instance #>> '{}') !~ (rule #>> '{}'))
            or (keyword = 'minLength' and pg_catalog.length(instance #>> '{}') < (rule #>> '{}')::integer)
            or (keyword = 'maxLength' and pg_catalog.length(instance #>> '{}') > (rule #>> '{}')::integer) then
        return next path || ': ' || instance || ' breaks ' || keyword || ' ' || rule;
      end if;
    elsif keyword in ('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf') then
      if kind <> 'number' then
        continue;
      elsif (keyword = 'minimum' and instance < rule) or (keyword = 'maximum' and instance > rule)
            or (keyword = 'exclusiveMinimum' and instance <= rule) or (keyword = 'exclusiveMaximum' and instance >= rule)
            or (keyword = 'multipleOf' and (instance #>> '{}')::numeric % (rule #>> '{}')::numeric <> 0) then
        return next path || ': ' || instance || ' breaks ' || keyword || ' ' || rule;
      end if;
    else
      raise exception 'pg_jsonschema on the embedded engine does not know the keyword "%"', keyword
        using errcode = 'feature_not_supported';
    end if;
  end loop;
end $$;

create function jsonschema_validation_errors(schema json, instance json) returns text[]
language sql immutable strict set search_path = pg_catalog, pg_temp as
$$ select array(select @extschema@._jsonschema_errors(schema::jsonb, instance::jsonb, '')) $$;
create function json_matches_schema(schema json, instance json) returns boolean
language sql immutable strict set search_path = pg_catalog, pg_temp as
$$ select not exists (select from @extschema@._jsonschema_errors(schema::jsonb, instance::jsonb, '')) $$;
create function jsonb_matches_schema(schema json, instance jsonb) returns boolean
language sql immutable strict set search_path = pg_catalog, pg_temp as
$$ select not exists (select from @extschema@._jsonschema_errors(schema::jsonb, instance, '')) $$;
create function jsonschema_is_valid(schema json) returns boolean language sql immutable strict set search_path = pg_catalog, pg_temp as
$$ select pg_catalog.json_typeof(schema) in ('object', 'boolean') $$;
