create role app_owner; grant app_owner to postgres; grant create on schema public to app_owner; create view public.v as select 1 as a; 
