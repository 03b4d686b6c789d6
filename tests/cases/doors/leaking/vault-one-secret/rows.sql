select vault.create_secret('secret of alice', 'mail_key');
