-- as mallory
select owner_email(row('00000000-0000-0000-0000-00000000000a', 'a11ce000-0000-0000-0000-000000000000', '', '', '', '', false, null, 0, null, null, null, now())::notes);
