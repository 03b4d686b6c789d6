insert into accounts (user_id, iban, frozen) values (:owner, 'DE00', true);
-- as anon
select iban from accounts
