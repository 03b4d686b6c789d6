create sequence public.s;
revoke all on sequence public.s from anon;
