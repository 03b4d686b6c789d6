-- Follow the user's address, and fill in the users who came before the trigger.
alter table public.profiles add column email text;

create or replace function public.handle_user_email() returns trigger language plpgsql security definer as $$
begin
  update public.profiles set email = new.email, updated_at = now() where id = new.id;
  return new;
end $$;

create trigger on_auth_user_email after insert or update of email on auth.users
  for each row when (new.email is not null) execute function public.handle_user_email();

insert into public.profiles (id, email)
select id, email from auth.users on conflict (id) do update set email = excluded.email;

create view public.people with (security_invoker = on) as select id, username from public.profiles;
grant select on public.people to anon, authenticated;
revoke execute on function public.handle_new_user from public, anon, authenticated;
