create function public.user_id_of(address text) returns uuid language sql stable security definer set search_path = '' as
  $$ select id from auth.users where email = address $$;
