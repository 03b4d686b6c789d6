insert into notes (body) values ('x');
-- as other
select * from notes
