-- as anon
select get_secret('alice');
