create function public.create_organization(name text) returns uuid language plpgsql security definer set search_path = '' as $$
declare made uuid;
begin
  if auth.uid() is null then raise exception 'sign in'; end if;
  insert into public.organizations (name) values ($1) returning id into made;
  insert into public.members values (made, auth.uid(), 'owner');
  return made;
end
$$;
