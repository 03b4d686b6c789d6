create function public.get_secret(secret_name text) returns text language sql security definer set search_path = '' as $$
  select s.decrypted_secret from vault.decrypted_secrets s where s.name = secret_name
$$;
