-- as anon
select all_titles();
