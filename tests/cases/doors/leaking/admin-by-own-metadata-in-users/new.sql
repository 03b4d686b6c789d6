create function public.admin_users() returns table (email text) language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select from auth.users u where u.id = auth.uid() and u.raw_user_meta_data ->> 'role' = 'admin') then raise exception 'not an admin'; end if;
  return query select u.email::text from auth.users u;
end
$$;
