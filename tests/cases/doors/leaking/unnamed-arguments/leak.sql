-- as mallory
select body_of('00000000-0000-0000-0000-00000000000a', 1);
