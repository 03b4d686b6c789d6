alter function public.f(integer) strict;
