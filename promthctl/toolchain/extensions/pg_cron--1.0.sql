-- Stand-in for pg_cron 1.6: jobs can be scheduled, changed and removed; nothing runs them.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create schema cron;

create sequence cron.jobid_seq;
create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);
alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);

create sequence cron.runid_seq;
create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);

-- The functions write with their owner's rights, so the caller comes from outside: `role` if it was set.
create function cron._caller() returns text language sql stable set search_path = pg_catalog, pg_temp as
$$ select coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user::text) $$;

-- Five fields, an @name, or a number of seconds, as pg_cron understands them.
create function cron._check_schedule(schedule text) returns void language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
  if schedule is null or not (
    trim(schedule) ~* '^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$'
    or trim(schedule) ~* '^([1-9]|[1-5][0-9]) seconds?$'
    or trim(schedule) ~* '^[0-9*,/-]+(\s+[0-9*,/-]+)\s+[0-9*,/$-]+\s+[0-9a-z*,/-]+\s+[0-9a-z*,/-]+$'
  ) then
    raise exception 'invalid schedule: %', schedule using errcode = 'invalid_parameter_value';
  end if;
end $$;

create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null, active boolean default true
) returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare result bigint;
begin
  perform cron._check_schedule(schedule);
  insert into cron.job as j (jobname, schedule, command, database, username, active)
  values (job_name, schedule, command, database, coalesce(username, cron._caller()), active)
  on conflict on constraint jobname_username_uniq do update
    set schedule = excluded.schedule, command = excluded.command, database = excluded.database, active = excluded.active
  returning j.jobid into result;
  return result;
end $$;

create function cron.schedule(job_name text, schedule text, command text) returns bigint
language sql set search_path = pg_catalog, pg_temp as
$$ select cron.schedule_in_database(job_name, schedule, command, pg_catalog.current_database()::text) $$;

create function cron.schedule(schedule text, command text) returns bigint language sql set search_path = pg_catalog, pg_temp as
$$ select cron.schedule_in_database(null, schedule, command, pg_catalog.current_database()::text) $$;

-- The real one, a trigger on cron.job, makes the scheduler read its jobs again.
create function cron.job_cache_invalidate() returns trigger language plpgsql set search_path = '' as
$$ begin return null; end $$;

create function cron.unschedule(job_id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from cron.job where jobid = job_id and username = cron._caller();
  if not found then
    raise exception 'could not find valid entry for job ''%''', job_id;
  end if;
  return true;
end $$;

create function cron.unschedule(job_name text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from cron.job where jobname = job_name and username = cron._caller();
  if not found then
    raise exception 'could not find valid entry for job ''%''', job_name;
  end if;
  return true;
end $$;

create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if schedule is not null then
    perform cron._check_schedule(schedule);
  end if;
  update cron.job j
     set schedule = coalesce(alter_job.schedule, j.schedule), command = coalesce(alter_job.command, j.command),
         database = coalesce(alter_job.database, j.database), username = coalesce(alter_job.username, j.username),
         active = coalesce(alter_job.active, j.active)
   where jobid = job_id and j.username = cron._caller();
  if not found then
    raise exception 'Job % does not exist or you don''t own it', job_id;
  end if;
end $$;

-- As the hosted platform grants them.
revoke all on all routines in schema cron from public;
grant usage on schema cron to postgres with grant option;
grant all on all routines in schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;

-- Whatever schema `create extension` names, supautils puts pg_cron into pg_catalog, and advisors look for it there.
delete from pg_depend
 where classid = 'pg_extension'::regclass and refclassid = 'pg_namespace'::regclass
   and objid = (select oid from pg_extension where extname = 'pg_cron');
update pg_extension set extnamespace = 'pg_catalog'::regnamespace where extname = 'pg_cron';
