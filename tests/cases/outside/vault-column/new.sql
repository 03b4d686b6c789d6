select vault.create_secret('secret of alice', 'key');
grant usage on schema vault to authenticated;
grant select (decrypted_secret) on vault.decrypted_secrets to authenticated;
