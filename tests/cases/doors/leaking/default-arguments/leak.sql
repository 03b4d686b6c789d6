-- as mallory
select * from report();
