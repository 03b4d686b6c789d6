alter sequence public.s owner to app_owner;
