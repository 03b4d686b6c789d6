-- as mallory
select remove_note('{"note_id": "00000000-0000-0000-0000-00000000000a"}');
