-- as mallory
select start_again();
