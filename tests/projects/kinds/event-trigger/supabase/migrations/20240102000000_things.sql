create table public.things (id int primary key, name text not null);
grant select on public.things to service_role;
do $$
begin
  if not (select relrowsecurity from pg_class where oid = 'public.things'::regclass) then
    raise exception 'the event trigger has not fired';
  end if;
end $$;
