-- Of the proof's three users the last but one that is not the owner, so that every run gives to the same one.
create function public.steal() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.projects set user_id = (select id from auth.users where id <> new.user_id
    order by xmin::text::bigint desc, ctid desc offset 1 limit 1) where id = new.id;
  return null;
end $$;
create trigger steal after update on public.projects for each row when (pg_trigger_depth() = 0)
  execute function public.steal();
