-- as anon
select * from billed_notes();
