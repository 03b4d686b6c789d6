alter view public.v owner to app_owner;
