create extension if not exists supabase_vault with schema vault;
select vault.create_secret('https://project.example.com', 'project_url');
select vault.create_secret('first', 'webhook_secret', 'Signs what we send');
select vault.update_secret((select id from vault.secrets where name = 'webhook_secret'), 'second');

create function public.sign_payload(payload text) returns text
language sql security definer set search_path = '' as $$
  select encode(extensions.hmac(payload, decrypted_secret, 'sha256'), 'hex')
    from vault.decrypted_secrets where name = 'webhook_secret'
$$;
revoke all on function public.sign_payload(text) from public, anon, authenticated;
grant execute on function public.sign_payload(text) to service_role;
