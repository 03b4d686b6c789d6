-- as anon
select * from totals();
