drop function public.f;
