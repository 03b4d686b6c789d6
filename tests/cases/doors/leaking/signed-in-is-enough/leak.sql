-- as mallory
select * from feed();
