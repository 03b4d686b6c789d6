-- as anon
set role service_role; select * from t;
