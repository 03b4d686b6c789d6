drop view public.v;
