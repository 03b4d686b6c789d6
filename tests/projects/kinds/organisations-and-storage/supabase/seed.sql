do $$
declare
  ann uuid := '00000000-0000-4000-8000-00000000000a';
begin
  insert into auth.users (id, instance_id, aud, role, email, raw_user_meta_data)
  values (ann, '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', 'ann@example.com', '{"name": "Ann"}');
  insert into auth.identities (id, user_id, provider_id, provider, identity_data, last_sign_in_at, created_at, updated_at)
  values (gen_random_uuid(), ann, ann, 'email', jsonb_build_object('sub', ann, 'email', 'ann@example.com'), now(), now(), now());
  insert into public.organisations (name, slug, created_by) values ('Acme', 'acme', ann), ('Ümlaut & Söhne', 'umlaut', ann);
end $$;
insert into storage.objects (bucket_id, name, metadata) values ('logos', 'acme/logo.png', '{"size": 12, "mimetype": "image/png"}');
