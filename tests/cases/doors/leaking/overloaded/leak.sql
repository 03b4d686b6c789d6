-- as mallory
select * from get_note('00000000-0000-0000-0000-00000000000a');
