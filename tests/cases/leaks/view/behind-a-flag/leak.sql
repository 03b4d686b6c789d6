insert into notes (user_id, body, published) values (:owner, 'secret body', true);
-- as other
select * from board
