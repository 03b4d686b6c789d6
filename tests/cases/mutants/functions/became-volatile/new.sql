alter function public.f(integer) volatile;
