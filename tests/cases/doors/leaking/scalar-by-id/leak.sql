-- as mallory
select get_body('00000000-0000-0000-0000-00000000000a');
