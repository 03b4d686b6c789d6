create role app_owner; grant app_owner to postgres; grant create on schema public to app_owner; create schema app; alter schema app owner to app_owner;
