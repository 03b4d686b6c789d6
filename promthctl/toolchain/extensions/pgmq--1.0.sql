-- Stand-in for pgmq 1.5 that works: queues are tables q_<name> and a_<name> (archive) in the schema pgmq.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create table pgmq.meta (
  queue_name varchar unique not null,
  is_partitioned boolean not null,
  is_unlogged boolean not null,
  created_at timestamptz not null default now()
);
create type pgmq.message_record as (
  msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb, headers jsonb);
create type pgmq.queue_record as (queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz);
create type pgmq.metrics_result as (
  queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer, total_messages bigint,
  scrape_time timestamptz, queue_visible_length bigint);

create function pgmq.format_table_name(queue_name text, prefix text) returns text language plpgsql immutable as $$
begin
  if queue_name !~ '^[a-zA-Z0-9_-]{1,47}$' then
    raise exception 'queue name contains invalid characters or is too long: %', queue_name;
  end if;
  return lower(prefix || '_' || queue_name);
end $$;

create function pgmq._create(queue_name text, is_unlogged boolean) returns void language plpgsql as $$
declare
  kind text := case when is_unlogged then 'unlogged' else '' end;
begin
  execute format(
    'create %s table if not exists pgmq.%I (msg_id bigint primary key generated always as identity,
       read_ct integer not null default 0, enqueued_at timestamptz not null default now(), vt timestamptz not null,
       message jsonb, headers jsonb)', kind, pgmq.format_table_name(queue_name, 'q'));
  execute format(
    'create table if not exists pgmq.%I (msg_id bigint primary key, read_ct integer not null default 0,
       enqueued_at timestamptz not null default now(), archived_at timestamptz not null default now(),
       vt timestamptz not null, message jsonb, headers jsonb)', pgmq.format_table_name(queue_name, 'a'));
  execute format('create index if not exists %I on pgmq.%I (vt)',
    pgmq.format_table_name(queue_name, 'q') || '_vt_idx', pgmq.format_table_name(queue_name, 'q'));
  insert into pgmq.meta values (queue_name, false, is_unlogged) on conflict do nothing;
end $$;
create function pgmq.create(queue_name text) returns void language sql as $$ select pgmq._create(queue_name, false) $$;
create function pgmq.create_non_partitioned(queue_name text) returns void language sql as
$$ select pgmq._create(queue_name, false) $$;
create function pgmq.create_unlogged(queue_name text) returns void language sql as
$$ select pgmq._create(queue_name, true) $$;

create function pgmq.drop_queue(queue_name text) returns boolean language plpgsql as $$
begin
  execute format('drop table if exists pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
  execute format('drop table if exists pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
  delete from pgmq.meta m where m.queue_name = drop_queue.queue_name;
  return found;
end $$;
create function pgmq.list_queues() returns setof pgmq.queue_record language sql as
$$ select queue_name, is_partitioned, is_unlogged, created_at from pgmq.meta $$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) returns setof bigint
language plpgsql as $$
begin
  return query execute format(
    'insert into pgmq.%I (vt, message, headers) select $1, m, h from unnest($2, $3) x (m, h) returning msg_id',
    pgmq.format_table_name(queue_name, 'q')) using delay, msgs, coalesce(headers, array[]::jsonb[]);
end $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, msgs, null, clock_timestamp() + make_interval(secs => delay)) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, msgs, headers, clock_timestamp()) $$;
create function pgmq.send_batch(queue_name text, msgs jsonb[]) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, msgs, 0) $$;
create function pgmq.send(queue_name text, msg jsonb) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, array[msg]) $$;
create function pgmq.send(queue_name text, msg jsonb, delay integer) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, array[msg], delay) $$;
create function pgmq.send(queue_name text, msg jsonb, delay timestamptz) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, array[msg], null, delay) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, array[msg], array[headers]) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) returns setof bigint language sql as
$$ select pgmq.send_batch(queue_name, array[msg], array[headers], delay) $$;
create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) returns setof bigint
language sql as
$$ select pgmq.send_batch(queue_name, array[msg], array[headers], clock_timestamp() + make_interval(secs => delay)) $$;

create function pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb)
returns setof pgmq.message_record language plpgsql as $$
begin
  return query execute format(
    'update pgmq.%1$I q set vt = clock_timestamp() + make_interval(secs => $1), read_ct = read_ct + 1
      where msg_id in (select msg_id from pgmq.%1$I where vt <= clock_timestamp() and message @> $3
                        order by msg_id limit $2 for update skip locked)
      returning msg_id, read_ct, enqueued_at, vt, message, headers',
    pgmq.format_table_name(queue_name, 'q')) using vt, qty, conditional;
end $$;
create function pgmq.read(queue_name text, vt integer, qty integer) returns setof pgmq.message_record language sql as
$$ select * from pgmq.read(queue_name, vt, qty, '{}') $$;
create function pgmq.read_with_poll(
  queue_name text, vt integer, qty integer, max_poll_seconds integer, poll_interval_ms integer, conditional jsonb
) returns setof pgmq.message_record language plpgsql as $$
declare deadline timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
begin
  loop
    return query select * from pgmq.read(queue_name, vt, qty, conditional);
    exit when found or clock_timestamp() >= deadline;
    perform pg_sleep(poll_interval_ms / 1000.0);
  end loop;
end $$;

create function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint language plpgsql as $$
begin
  return query execute format('delete from pgmq.%I where msg_id = any($1) returning msg_id',
    pgmq.format_table_name(queue_name, 'q')) using msg_ids;
end $$;
create function pgmq.delete(queue_name text, msg_id bigint) returns boolean language sql as
$$ select exists (select from pgmq.delete(queue_name, array[msg_id])) $$;

create function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint language plpgsql as $$
begin
  return query execute format(
    'with gone as (delete from pgmq.%I where msg_id = any($1) returning msg_id, read_ct, enqueued_at, vt, message, headers)
     insert into pgmq.%I (msg_id, read_ct, enqueued_at, vt, message, headers) select * from gone returning msg_id',
    pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) using msg_ids;
end $$;
create function pgmq.archive(queue_name text, msg_id bigint) returns boolean language sql as
$$ select exists (select from pgmq.archive(queue_name, array[msg_id])) $$;

create function pgmq.pop(queue_name text, qty integer) returns setof pgmq.message_record language plpgsql as $$
begin
  return query execute format(
    'delete from pgmq.%1$I where msg_id in (select msg_id from pgmq.%1$I where vt <= clock_timestamp()
        order by msg_id limit $1 for update skip locked)
      returning msg_id, read_ct, enqueued_at, vt, message, headers',
    pgmq.format_table_name(queue_name, 'q')) using qty;
end $$;

create function pgmq.set_vt(queue_name text, msg_id bigint, vt integer) returns setof pgmq.message_record
language plpgsql as $$
begin
  return query execute format(
    'update pgmq.%I set vt = clock_timestamp() + make_interval(secs => $2) where msg_id = $1
      returning msg_id, read_ct, enqueued_at, vt, message, headers',
    pgmq.format_table_name(queue_name, 'q')) using msg_id, vt;
end $$;

create function pgmq.purge_queue(queue_name text) returns bigint language plpgsql as $$
declare result bigint;
begin
  execute format('with gone as (delete from pgmq.%I returning 1) select count(*) from gone',
    pgmq.format_table_name(queue_name, 'q')) into result;
  return result;
end $$;

create function pgmq.metrics(queue_name text) returns pgmq.metrics_result language plpgsql as $$
declare result pgmq.metrics_result;
begin
  execute format(
    'select $1, count(*), extract(epoch from now() - max(enqueued_at))::integer,
            extract(epoch from now() - min(enqueued_at))::integer,
            coalesce(pg_sequence_last_value(pg_get_serial_sequence(%L, ''msg_id'')::regclass), 0), now(),
            count(*) filter (where vt <= now()) from pgmq.%I',
    format('pgmq.%I', pgmq.format_table_name(queue_name, 'q')), pgmq.format_table_name(queue_name, 'q'))
  into result using queue_name;
  return result;
end $$;
create function pgmq.metrics_all() returns setof pgmq.metrics_result language sql as
$$ select (pgmq.metrics(queue_name)).* from pgmq.meta $$;

create function pgmq.read_with_poll(
  queue_name text, vt integer, qty integer, max_poll_seconds integer default 5, poll_interval_ms integer default 100
) returns setof pgmq.message_record language sql as
$$ select * from pgmq.read_with_poll(queue_name, vt, qty, max_poll_seconds, poll_interval_ms, '{}') $$;
create function pgmq.pop(queue_name text) returns setof pgmq.message_record language sql as
$$ select * from pgmq.pop(queue_name, 1) $$;
-- Queues in partitions rest on pg_partman.
do $$
declare
  signature text;
begin
  foreach signature in array array[
    'create_partitioned(queue_name text, partition_interval text default ''10000'', retention_interval text default ''100000'')',
    'convert_archive_partitioned(table_name text, partition_interval text default ''10000'',
       retention_interval text default ''100000'', leading_partition integer default 10)',
    '_ensure_pg_partman_installed()']
  loop
    execute format('create function pgmq.%s returns void language plpgsql as %L', signature,
      'begin raise exception ''pg_partman is not available on the embedded engine'' using errcode = ''0A000''; end');
  end loop;
end $$;
create function pgmq._get_pg_partman_schema() returns text language sql as $$ select null::text $$;
create function pgmq._get_partition_col(partition_interval text) returns text language sql immutable as
$$ select case when partition_interval ~ '^\d+$' then 'msg_id' else 'enqueued_at' end $$;
create function pgmq._belongs_to_pgmq(table_name text) returns boolean language sql as $$
  select exists (select from pgmq.meta m where table_name in (pgmq.format_table_name(m.queue_name, 'q'),
                                                               pgmq.format_table_name(m.queue_name, 'a')))
$$;
create function pgmq.detach_archive(queue_name text) returns void language sql as $$ $$;
create function pgmq.drop_queue(queue_name text, partitioned boolean) returns boolean language sql as
$$ select pgmq.drop_queue(queue_name) $$;
create function pgmq.validate_queue_name(queue_name text) returns void language plpgsql as
$$ begin perform pgmq.format_table_name(queue_name, 'q'); end $$;

grant usage, create on schema pgmq to postgres with grant option;
grant all on all tables in schema pgmq to postgres with grant option;
grant all on all routines in schema pgmq to postgres with grant option;
grant usage on schema pgmq to service_role;
grant select on all tables in schema pgmq to service_role;
