-- as anon
insert into notes (user_id, title, source) values (:owner, 'forged', 'import')
