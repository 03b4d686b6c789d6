-- as authenticated
set role service_role; select * from t;
