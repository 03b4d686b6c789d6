create function public.delete_account(id uuid) returns void language sql security definer set search_path = '' as $$
delete from auth.users u where u.id = $1
$$;
