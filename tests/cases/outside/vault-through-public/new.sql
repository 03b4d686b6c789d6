select vault.create_secret('secret of alice', 'key');
grant usage on schema vault to public;
grant select on vault.decrypted_secrets to public;
