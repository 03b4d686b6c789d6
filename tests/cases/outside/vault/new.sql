select vault.create_secret('secret of alice', 'key');
grant usage on schema vault to anon;
grant select on vault.decrypted_secrets to anon;
