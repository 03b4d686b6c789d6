-- as mallory
select overview();
