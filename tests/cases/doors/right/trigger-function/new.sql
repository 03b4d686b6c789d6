create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.profiles (id, email) values (new.id, new.email);
  return new;
end
$$;
create trigger on_sign_up after insert on auth.users for each row execute function public.handle_new_user();
