insert into notes (user_id, body, published) values (:owner, 'secret body', false);
-- as anon
select * from board
