-- as anon
select * from t;
