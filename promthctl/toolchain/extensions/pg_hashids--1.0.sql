-- Stand-in for pg_hashids 1.3 that works: short ids from numbers, and back. What is no id of this salt is decoded to no
-- numbers. The algorithm is that of https://hashids.org; its names are salt, alphabet, separators, guards and lottery.

create function _hashids_shuffle(letters text, salt text) returns text language plpgsql immutable set search_path = '' as $$
declare
  places text[] := pg_catalog.string_to_array(letters, null);
  kept text;
  code integer;
  total integer := 0;
  number integer := 0;
  other integer;
begin
  for place in reverse pg_catalog.length(letters) - 1 .. 1 loop
    exit when salt = '';
    number := number % pg_catalog.length(salt);
    code := pg_catalog.ascii(pg_catalog.substr(salt, number + 1, 1));
    total := total + code;
    other := (code + number + total) % place;
    kept := places[place + 1];
    places[place + 1] := places[other + 1];
    places[other + 1] := kept;
    number := number + 1;
  end loop;
  return pg_catalog.array_to_string(places, '');
end $$;

create function _hashids_letters(
  salt text, wanted text, out alphabet text, out separators text, out guards text
) language plpgsql immutable set search_path = '' as $$
declare missing integer;
begin
  select pg_catalog.string_agg(letter, '' order by place) into separators
    from pg_catalog.unnest(pg_catalog.string_to_array('cfhistuCFHISTU', null)) with ordinality part (letter, place)
   where pg_catalog.strpos(wanted, letter) > 0;
  separators := coalesce(separators, '');
  select pg_catalog.string_agg(letter, '' order by first) into alphabet
    from (select letter, min(place) as first
            from pg_catalog.unnest(pg_catalog.string_to_array(wanted, null)) with ordinality part (letter, place)
           where pg_catalog.strpos(separators, letter) = 0 group by letter) parts;
  if coalesce(pg_catalog.length(alphabet), 0) + pg_catalog.length(separators) < 16 then
    raise exception 'the alphabet must have at shortest 16 different letters' using errcode = 'invalid_parameter_value';
  end if;
  separators := @extschema@._hashids_shuffle(separators, salt);
  missing := greatest(2, pg_catalog.ceil(pg_catalog.length(alphabet) / 3.5)::integer) - pg_catalog.length(separators);
  if missing > 0 then
    separators := separators || pg_catalog.substr(alphabet, 1, missing);
    alphabet := pg_catalog.substr(alphabet, missing + 1);
  end if;
  alphabet := @extschema@._hashids_shuffle(alphabet, salt);
  missing := pg_catalog.ceil(pg_catalog.length(alphabet) / 12.0)::integer;
  if pg_catalog.length(alphabet) < 3 then
    guards := pg_catalog.substr(separators, 1, missing);
    separators := pg_catalog.substr(separators, missing + 1);
  else
    guards := pg_catalog.substr(alphabet, 1, missing);
    alphabet := pg_catalog.substr(alphabet, missing + 1);
  end if;
end $$;

create function _hashids_encode(numbers bigint[], salt text, shortest integer, wanted text) returns text
language plpgsql immutable set search_path = '' as $$
declare
  letters record := @extschema@._hashids_letters(salt, wanted);
  alphabet text := letters.alphabet;
  size integer := pg_catalog.length(letters.alphabet);
  total bigint := 0;
  lottery text;
  hash text;
  part text;
  rest bigint;
begin
  if coalesce(pg_catalog.cardinality(numbers), 0) = 0 or 0 > any (numbers) then
    return '';
  end if;
  for i in 1 .. pg_catalog.cardinality(numbers) loop
    total := total + numbers[i] % (i + 99);
  end loop;
  lottery := pg_catalog.substr(alphabet, (total % size)::integer + 1, 1);
  hash := lottery;
  for i in 1 .. pg_catalog.cardinality(numbers) loop
    alphabet := @extschema@._hashids_shuffle(alphabet, pg_catalog.substr(lottery || salt || alphabet, 1, size));
    part := '';
    rest := numbers[i];
    loop
      part := pg_catalog.substr(alphabet, (rest % size)::integer + 1, 1) || part;
      rest := rest / size;
      exit when rest = 0;
    end loop;
    hash := hash || part;
    if i < pg_catalog.cardinality(numbers) then
      rest := numbers[i] % (pg_catalog.ascii(part) + i - 1) % pg_catalog.length(letters.separators);
      hash := hash || pg_catalog.substr(letters.separators, rest::integer + 1, 1);
    end if;
  end loop;
  if pg_catalog.length(hash) < shortest then
    rest := (total + pg_catalog.ascii(hash)) % pg_catalog.length(letters.guards);
    hash := pg_catalog.substr(letters.guards, rest::integer + 1, 1) || hash;
  end if;
  if pg_catalog.length(hash) < shortest then
    rest := (total + pg_catalog.ascii(pg_catalog.substr(hash, 3, 1))) % pg_catalog.length(letters.guards);
    hash := hash || pg_catalog.substr(letters.guards, rest::integer + 1, 1);
  end if;
  while pg_catalog.length(hash) < shortest loop
    alphabet := @extschema@._hashids_shuffle(alphabet, alphabet);
    hash := pg_catalog.substr(alphabet, size / 2 + 1) || hash || pg_catalog.substr(alphabet, 1, size / 2);
    if pg_catalog.length(hash) > shortest then
      hash := pg_catalog.substr(hash, (pg_catalog.length(hash) - shortest) / 2 + 1, shortest);
    end if;
  end loop;
  return hash;
end $$;

create function _hashids_decode(hash text, salt text, shortest integer, wanted text) returns bigint[]
language plpgsql immutable set search_path = '' as $$
declare
  letters record := @extschema@._hashids_letters(salt, wanted);
  alphabet text := letters.alphabet;
  size integer := pg_catalog.length(letters.alphabet);
  parts text[] := pg_catalog.string_to_array(
    pg_catalog.translate(hash, letters.guards, pg_catalog.repeat(' ', pg_catalog.length(letters.guards))), ' ');
  inner_hash text := coalesce(case when pg_catalog.cardinality(parts) in (2, 3) then parts[2] else parts[1] end, '');
  lottery text := pg_catalog.substr(inner_hash, 1, 1);
  numbers bigint[] := '{}';
  part text;
  number numeric;
begin
  foreach part in array pg_catalog.string_to_array(pg_catalog.translate(pg_catalog.substr(inner_hash, 2),
    letters.separators, pg_catalog.repeat(' ', pg_catalog.length(letters.separators))), ' ')
  loop
    alphabet := @extschema@._hashids_shuffle(alphabet, pg_catalog.substr(lottery || salt || alphabet, 1, size));
    number := 0;
    for i in 1 .. pg_catalog.length(part) loop
      number := number * size + pg_catalog.strpos(alphabet, pg_catalog.substr(part, i, 1)) - 1;
    end loop;
    if number not between 0 and 9223372036854775807 then
      return '{}';
    end if;
    numbers := numbers || number::bigint;
  end loop;
  return case when @extschema@._hashids_encode(numbers, salt, shortest, wanted) = hash then numbers else '{}' end;
end $$;

do $$
declare
  options constant text[] := array['', ', text', ', text, integer', ', text, integer, text'];
  given constant text[] := array[
    $q$, '', 0, '%s'$q$, $q$, $2, 0, '%s'$q$, $q$, $2, $3, '%s'$q$, $q$, $2, $3, $4$q$];
  letters constant text := 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890';
  made record;
begin
  for made in
    select format(signature, options[i]) as signature, result,
           format(body, format(given[i], letters)) as body
      from generate_series(1, 4) i cross join (values
        ('id_encode(bigint%s)', 'text', '@extschema@._hashids_encode(array[$1]%s)', 4),
        ('id_encode(bigint[]%s)', 'text', '@extschema@._hashids_encode($1%s)', 4),
        ('id_decode(text%s)', 'bigint[]', '@extschema@._hashids_decode($1%s)', 4),
        ('id_decode_once(text%s)', 'bigint', '(@extschema@._hashids_decode($1%s))[1]', 4),
        ('hash_encode(bigint%s)', 'text', '@extschema@._hashids_encode(array[$1]%s)', 3)) f (signature, result, body, most)
     where i <= most
  loop
    execute format('create function %s returns %s language sql immutable strict as %L',
                   made.signature, made.result, 'select ' || made.body);
  end loop;
end $$;
create function hash_decode(text, text, integer) returns integer language sql immutable strict as
$$ select @extschema@.id_decode_once($1, $2, $3)::integer $$;
