create role app_owner; grant app_owner to postgres; grant create on schema public to app_owner; create sequence public.s;
