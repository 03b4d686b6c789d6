-- as mallory
select * from note_title('00000000-0000-0000-0000-00000000000a');
