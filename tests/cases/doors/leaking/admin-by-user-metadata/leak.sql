-- as mallory
select * from admin_notes();
