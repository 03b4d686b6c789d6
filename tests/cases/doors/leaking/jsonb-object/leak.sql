-- as mallory
select dashboard();
