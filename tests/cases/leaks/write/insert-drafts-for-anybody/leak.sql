-- as other
insert into notes (user_id, title, status) values (:owner, 'forged', 'suggested')
