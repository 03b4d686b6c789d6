create or replace function public.custom_access_token_hook(event jsonb) returns jsonb language plpgsql stable as $$
declare
  claims jsonb := event -> 'claims';
  user_role public.app_role;
begin
  select role into user_role from public.user_roles where user_id = (event ->> 'user_id')::uuid;
  claims := jsonb_set(claims, '{user_role}', coalesce(to_jsonb(user_role), 'null'));
  return jsonb_set(event, '{claims}', claims);
end;
$$;

grant usage on schema public to supabase_auth_admin;
grant execute on function public.custom_access_token_hook to supabase_auth_admin;
revoke execute on function public.custom_access_token_hook from authenticated, anon, public;
grant all on table public.user_roles to supabase_auth_admin;
revoke all on table public.user_roles from authenticated, anon, public;
create policy "Allow auth admin to read user roles" on public.user_roles as permissive for select
  to supabase_auth_admin using (true);

create or replace function public.authorize(requested_permission app_permission) returns boolean
language plpgsql stable security definer set search_path = '' as $$
begin
  return exists (
    select from public.role_permissions
     where permission = requested_permission and role = (auth.jwt() ->> 'user_role')::public.app_role);
end;
$$;

create policy "Everybody reads" on public.channels for select to authenticated using (true);
create policy "Authorised roles delete" on public.channels for delete to authenticated
  using ((select authorize('channels.delete')));
