create function public.get_price(p_note uuid) returns numeric language sql security definer set search_path = '' as $$
select n.price from public.notes n where n.id = p_note
$$;
