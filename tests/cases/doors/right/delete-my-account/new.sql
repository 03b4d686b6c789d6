create function public.delete_my_account() returns void language sql security definer set search_path = '' as $$
delete from auth.users u where u.id = auth.uid()
$$;
