-- as mallory
select * from members_of('00000000-0000-0000-0000-00000000000b');
