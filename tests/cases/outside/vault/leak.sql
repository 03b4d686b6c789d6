-- as anon
select decrypted_secret from vault.decrypted_secrets;
