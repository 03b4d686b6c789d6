drop sequence public.s;
