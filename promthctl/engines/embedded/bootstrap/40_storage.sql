-- The tables and functions of Supabase Storage that migrations refer to
-- (github.com/supabase/storage, migrations/tenant up to 0063). ../storage/ serves them.

set role supabase_storage_admin;

create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

create table storage.migrations (
  id integer primary key,
  name varchar(100) unique not null,
  hash varchar(40) not null,
  executed_at timestamp default current_timestamp
);

create table storage.buckets (
  id text primary key,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  type storage.buckettype not null default 'STANDARD',
  versioning_status text not null default 'DISABLED' check (versioning_status = 'DISABLED')
);
create unique index bname on storage.buckets (name);
comment on column storage.buckets.owner is 'Field is deprecated, use owner_id instead';

create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text,
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb,
  archived_at timestamptz,
  is_delete_marker boolean not null default false,
  is_versioned boolean not null default false,
  constraint "objects_bucketId_fkey" foreign key (bucket_id) references storage.buckets
);
create unique index bucketid_objname on storage.objects (bucket_id, name);
create index name_prefix_search on storage.objects (name text_pattern_ops);
comment on column storage.objects.owner is 'Field is deprecated, use owner_id instead';

create table storage.s3_multipart_uploads (
  id text primary key,
  in_progress_size bigint not null default 0,
  upload_signature text not null,
  bucket_id text not null references storage.buckets,
  key text collate "C" not null,
  version text not null,
  owner_id text,
  created_at timestamptz not null default now(),
  user_metadata jsonb,
  metadata jsonb
);

create table storage.s3_multipart_uploads_parts (
  id uuid primary key default gen_random_uuid(),
  upload_id text not null references storage.s3_multipart_uploads on delete cascade,
  size bigint not null default 0,
  part_number integer not null,
  bucket_id text not null references storage.buckets,
  key text collate "C" not null,
  etag text not null,
  owner_id text,
  version text not null,
  created_at timestamptz not null default now()
);

create table storage.buckets_analytics (
  id uuid primary key default gen_random_uuid(),
  type storage.buckettype not null default 'ANALYTICS',
  format text not null default 'ICEBERG',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  name text not null,
  deleted_at timestamptz
);

create table storage.buckets_vectors (
  id text primary key,
  type storage.buckettype not null default 'VECTOR',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table storage.vector_indexes (
  id text primary key default gen_random_uuid(),
  name text collate "C" not null,
  bucket_id text not null references storage.buckets_vectors,
  data_type text not null,
  dimension integer not null,
  distance_metric text not null,
  metadata_configuration jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (name, bucket_id)
);

-- Parts of an object's path, for policies such as (storage.foldername(name))[1] = auth.uid()::text.
create function storage.foldername(name text) returns text[] language sql immutable as
$$ select (string_to_array($1, '/'))[1 : cardinality(string_to_array($1, '/')) - 1] $$;
create function storage.filename(name text) returns text language sql immutable as
$$ select split_part($1, '/', -1) $$;
create function storage.extension(name text) returns text language sql immutable as
$$ select split_part(split_part($1, '/', -1), '.', -1) $$;

create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text) language sql stable as
$$ select sum((o.metadata ->> 'size')::bigint)::bigint, o.bucket_id from storage.objects o group by o.bucket_id $$;

-- One level of a folder: its files, and its sub-folders with null instead of an id.
create function storage.search(
  prefix text, bucketname text, limits integer default 100, levels integer default 1, offsets integer default 0,
  search text default '', sortcolumn text default 'name', sortorder text default 'asc'
) returns table (name text, id uuid, updated_at timestamptz, created_at timestamptz, last_accessed_at timestamptz,
                 metadata jsonb) language plpgsql stable as $$
begin
  if lower(sortcolumn) not in ('name', 'updated_at', 'created_at', 'last_accessed_at') then
    sortcolumn := 'name';
  end if;
  return query execute format($sql$
    select o.path_tokens[$1],
           (array_agg(o.id) filter (where cardinality(o.path_tokens) = $1))[1],
           max(o.updated_at) filter (where cardinality(o.path_tokens) = $1),
           max(o.created_at) filter (where cardinality(o.path_tokens) = $1),
           max(o.last_accessed_at) filter (where cardinality(o.path_tokens) = $1),
           (array_agg(o.metadata) filter (where cardinality(o.path_tokens) = $1))[1]
      from storage.objects o
     where o.bucket_id = $2 and starts_with(lower(o.name), lower($3)) and cardinality(o.path_tokens) >= $1
     group by o.path_tokens[$1]
     order by %s %s limit $4 offset $5 $sql$,
    array_position(array['name', 'id', 'updated_at', 'created_at', 'last_accessed_at'], lower(sortcolumn)),
    case when lower(sortorder) = 'desc' then 'desc' else 'asc' end)
  using levels, bucketname, coalesce(prefix, '') || coalesce(search, ''), least(coalesce(limits, 100), 1500), offsets;
end $$;

-- What the Storage API is doing, for policies that differ by operation.
create function storage.operation() returns text language sql stable as
$$ select current_setting('storage.operation', true) $$;
create function storage.allow_any_operation(expected_operations text[]) returns boolean language sql stable as $$
  select coalesce(bool_or(regexp_replace(storage.operation(), '^storage\.', '') = regexp_replace(op, '^storage\.', '')), false)
    from unnest(expected_operations) op where op <> ''
$$;
create function storage.allow_only_operation(expected_operation text) returns boolean language sql stable as
$$ select storage.allow_any_operation(array[expected_operation]) $$;

create function storage.can_insert_object(bucketid text, name text, owner uuid, metadata jsonb) returns void
language plpgsql as $$
begin
  insert into storage.objects (bucket_id, name, owner, metadata) values (bucketid, name, owner, metadata);
  raise sqlstate 'PT200' using message = 'ROLLBACK', detail = 'rollback successful insert';
end $$;

create function storage.update_updated_at_column() returns trigger language plpgsql as
$$ begin new.updated_at = now(); return new; end $$;
create trigger update_objects_updated_at before update on storage.objects
  for each row execute function storage.update_updated_at_column();

create function storage.enforce_bucket_name_length() returns trigger language plpgsql as $$
begin
  if length(new.name) > 100 then
    raise exception 'bucket name "%" is too long (% characters). Max is 100.', new.name, length(new.name);
  end if;
  return new;
end $$;
create trigger enforce_bucket_name_length_trigger before insert or update of name on storage.buckets
  for each row execute function storage.enforce_bucket_name_length();

create function storage.protect_delete() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using hint = 'This prevents accidental data loss from orphaned objects.', errcode = '42501';
  end if;
  return null;
end $$;
create trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();
create trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();

-- Privileges ---------------------------------------------------------------------------------------------------------

alter table storage.migrations enable row level security;
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
alter table storage.s3_multipart_uploads enable row level security;
alter table storage.s3_multipart_uploads_parts enable row level security;
alter table storage.buckets_analytics enable row level security;
alter table storage.buckets_vectors enable row level security;
alter table storage.vector_indexes enable row level security;

grant all on storage.buckets, storage.objects to postgres with grant option;
grant all on storage.buckets, storage.objects, storage.buckets_analytics to anon, authenticated, service_role;
grant select on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts, storage.buckets_vectors,
  storage.vector_indexes to anon, authenticated;
grant select on storage.buckets_vectors, storage.vector_indexes to service_role;
grant all on storage.s3_multipart_uploads, storage.s3_multipart_uploads_parts to service_role, postgres;
grant all on all routines in schema storage to postgres, anon, authenticated, service_role, dashboard_user;

reset role;
