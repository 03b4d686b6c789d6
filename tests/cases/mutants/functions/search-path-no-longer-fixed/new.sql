alter function public.f(integer) reset search_path;
