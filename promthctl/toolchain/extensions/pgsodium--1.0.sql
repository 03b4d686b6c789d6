-- Stand-in for pgsodium, which Supabase has deprecated; Vault no longer rests on it.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create table pgsodium.key (
  id uuid primary key default gen_random_uuid(),
  status text default 'valid',
  created timestamptz not null default current_timestamp,
  expires timestamptz,
  key_type text,
  key_id bigint,
  key_context bytea,
  name text unique,
  associated_data text default '',
  comment text
);
create view pgsodium.valid_key as
  select id, name, status, key_type, key_id, key_context, created, expires, associated_data
    from pgsodium.key where status in ('valid', 'default') and (expires is null or expires > now());

create function pgsodium.create_key(
  key_type text default 'aead-det', name text default null, raw_key bytea default null, raw_key_nonce bytea default null,
  parent_key uuid default null, key_context bytea default '\x7067736f6469756d', expires timestamptz default null,
  associated_data text default ''
) returns pgsodium.valid_key language plpgsql as $$
begin
  raise exception 'pgsodium is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function pgsodium.crypto_aead_det_keygen() returns bytea language plpgsql as $$
begin
  raise exception 'pgsodium is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function pgsodium.crypto_aead_det_encrypt(message bytea, additional bytea, key_uuid uuid, nonce bytea)
returns bytea language plpgsql as $$
begin
  raise exception 'pgsodium is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
create function pgsodium.crypto_aead_det_decrypt(message bytea, additional bytea, key_uuid uuid, nonce bytea)
returns bytea language plpgsql as $$
begin
  raise exception 'pgsodium is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;

grant usage on schema pgsodium to postgres, service_role;
grant select on pgsodium.valid_key to postgres;
