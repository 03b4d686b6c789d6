create function public.slug(title text) returns text language sql security definer set search_path = '' as $$
select lower(replace(title, ' ', '-'))
$$;
