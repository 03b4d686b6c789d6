insert into notes (body) values ('x');
-- as anon
select * from notes
