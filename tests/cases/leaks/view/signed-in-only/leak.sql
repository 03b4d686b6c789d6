insert into notes (user_id, body, published) values (:owner, 'secret body', false);
-- as other
select * from board
