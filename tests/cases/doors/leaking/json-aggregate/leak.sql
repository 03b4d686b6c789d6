-- as anon
select export_notes();
