alter sequence public.s increment 2;
