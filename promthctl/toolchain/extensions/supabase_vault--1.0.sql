-- Stand-in for supabase_vault 0.3: the same functions and columns. A secret is encoded, not encrypted: there is no
-- key server, and whoever can read the data directory is the developer who put the secret there.

set local search_path = pg_catalog, pg_temp; -- the schema's owner may have put functions into it

create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea,
  created_at timestamptz not null default current_timestamp,
  updated_at timestamptz not null default current_timestamp
);
create unique index secrets_name_idx on vault.secrets (name) where name is not null;
comment on table vault.secrets is 'Secrets of the project, base64 on the embedded engine, encrypted on the hosted platform.';

create view vault.decrypted_secrets as
  select id, name, description, secret, convert_from(decode(secret, 'base64'), 'utf8') as decrypted_secret,
         key_id, nonce, created_at, updated_at
    from vault.secrets;

create function vault.create_secret(
  new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null
) returns uuid language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into vault.secrets (secret, name, description, key_id)
  values (pg_catalog.encode(pg_catalog.convert_to(new_secret, 'utf8'), 'base64'), new_name,
          coalesce(new_description, ''), new_key_id)
  returning id
$$;

create function vault.update_secret(
  secret_id uuid, new_secret text default null, new_name text default null, new_description text default null,
  new_key_id uuid default null
) returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  update vault.secrets
     set secret = coalesce(pg_catalog.encode(pg_catalog.convert_to(new_secret, 'utf8'), 'base64'), secret),
         name = coalesce(new_name, name),
         description = coalesce(new_description, description),
         key_id = coalesce(new_key_id, key_id),
         updated_at = pg_catalog.now()
   where id = secret_id
$$;

-- What the real one encrypts with. Dumps grant on them.
do $$
declare
  signature text;
begin
  foreach signature in array array[
    '_crypto_aead_det_encrypt(message bytea, additional bytea, key_id bigint, context bytea default ''pgsodium'',
       nonce bytea default null)',
    '_crypto_aead_det_decrypt(message bytea, additional bytea, key_id bigint, context bytea default ''pgsodium'',
       nonce bytea default null)',
    '_crypto_aead_det_noncegen()']
  loop
    execute format('create function vault.%s returns bytea language plpgsql as %L', signature,
      'begin raise exception ''encryption is not available on the embedded engine'' using errcode = ''0A000''; end');
  end loop;
end $$;

revoke all on all routines in schema vault from public;
grant usage on schema vault to postgres with grant option;
grant select, delete, references on vault.secrets, vault.decrypted_secrets to postgres with grant option;
grant execute on all routines in schema vault to postgres with grant option;
grant usage on schema vault to service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
grant execute on all routines in schema vault to service_role;
