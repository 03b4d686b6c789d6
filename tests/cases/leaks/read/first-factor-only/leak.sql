insert into notes (user_id, title) values (:owner, 'secret');
-- as other {"aal": "aal1"}
select * from notes
