-- as authenticated
select 'of alice' from vault.create_secret('x', 'y');
