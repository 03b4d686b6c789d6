-- as anon
select tidy();
