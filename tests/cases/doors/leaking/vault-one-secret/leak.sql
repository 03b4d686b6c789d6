-- as anon
select settings();
