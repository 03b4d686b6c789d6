grant all on sequence public.s to anon;
