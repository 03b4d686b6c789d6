insert into notes (body) values ('an owner deleted the account');
-- as anon
select * from notes
