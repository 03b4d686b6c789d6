-- Stand-in for pgsodium, which Supabase has deprecated; Vault no longer rests on it.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create type pgsodium.key_status as enum ('default', 'valid', 'invalid', 'expired');
create type pgsodium.key_type as enum (
  'aead-ietf', 'aead-det', 'hmacsha512', 'hmacsha256', 'auth', 'shorthash', 'generichash', 'kdf', 'secretbox',
  'secretstream', 'stream_xchacha20');
create sequence pgsodium.key_key_id_seq; -- dumps of rows set it
create table pgsodium.key (
  id uuid primary key default gen_random_uuid(),
  status pgsodium.key_status default 'valid',
  created timestamptz not null default current_timestamp,
  expires timestamptz,
  key_type pgsodium.key_type,
  key_id bigint unique default nextval('pgsodium.key_key_id_seq'),
  key_context bytea,
  name text unique,
  associated_data text default '',
  raw_key bytea,
  raw_key_nonce bytea,
  parent_key uuid,
  comment text,
  user_data text
);
alter sequence pgsodium.key_key_id_seq owned by pgsodium.key.key_id;
create view pgsodium.valid_key as
  select id, name, status, key_type, key_id, key_context, created, expires, associated_data
    from pgsodium.key where status in ('valid', 'default') and (expires is null or expires > now());

do $$
declare
  wanted text;
begin
  -- Its roles, which dumps grant to. They belong to the server, and stay when the extension is dropped.
  foreach wanted in array array['pgsodium_keyiduser', 'pgsodium_keyholder', 'pgsodium_keymaker'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I nologin', wanted);
    end if;
  end loop;
  foreach wanted in array array[
    'create_key(key_type pgsodium.key_type default ''aead-det'', name text default null, raw_key bytea default null,
       raw_key_nonce bytea default null, parent_key uuid default null, key_context bytea default ''\x7067736f6469756d'',
       expires timestamptz default null, associated_data text default '''') returns pgsodium.valid_key',
    'crypto_aead_det_keygen() returns bytea',
    'crypto_aead_det_noncegen() returns bytea',
    'crypto_aead_det_encrypt(message bytea, additional bytea, key bytea, nonce bytea default null) returns bytea',
    'crypto_aead_det_decrypt(ciphertext bytea, additional bytea, key bytea, nonce bytea default null) returns bytea',
    'crypto_aead_det_encrypt(message bytea, additional bytea, key_uuid uuid) returns bytea',
    'crypto_aead_det_decrypt(message bytea, additional bytea, key_uuid uuid) returns bytea',
    'crypto_aead_det_encrypt(message bytea, additional bytea, key_uuid uuid, nonce bytea) returns bytea',
    'crypto_aead_det_decrypt(message bytea, additional bytea, key_uuid uuid, nonce bytea) returns bytea',
    'crypto_aead_det_encrypt(message bytea, additional bytea, key_id bigint, context bytea default ''pgsodium'',
       nonce bytea default null) returns bytea',
    'crypto_aead_det_decrypt(message bytea, additional bytea, key_id bigint, context bytea default ''pgsodium'',
       nonce bytea default null) returns bytea']
  loop
    execute format('create function pgsodium.%s language plpgsql as %L', wanted,
      'begin raise exception ''pgsodium is not available on the embedded engine'' using errcode = ''0A000''; end');
  end loop;
end $$;

grant usage on schema pgsodium to postgres, service_role;
grant select on pgsodium.valid_key to postgres;
grant usage, select, update on sequence pgsodium.key_key_id_seq to postgres;
