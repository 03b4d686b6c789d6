alter table public.profiles add column last_seen timestamptz;

create or replace function public.note_sign_in() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.profiles set last_seen = new.last_sign_in_at where id = new.id;
  return new;
end; $$;

drop trigger if exists on_sign_in on auth.users;
create trigger on_sign_in after update of last_sign_in_at on auth.users
  for each row when (old.last_sign_in_at is distinct from new.last_sign_in_at) execute function public.note_sign_in();
