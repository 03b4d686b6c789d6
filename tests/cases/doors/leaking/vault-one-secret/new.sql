create function private.mail_key() returns text language plpgsql security definer set search_path = '' as $$
declare
  key text;
begin
  select decrypted_secret into key from vault.decrypted_secrets where name = 'mail_key';
  return key;
end
$$;
create function public.settings() returns jsonb language sql security definer set search_path = '' as $$
  select jsonb_build_object('from', 'hello@example.com', 'key', private.mail_key())
$$;
