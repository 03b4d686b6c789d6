select vault.create_secret('secret of alice', 'alice');
