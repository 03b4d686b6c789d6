create function public.notes_like(filter text) returns setof public.notes language plpgsql security definer set search_path = '' as $$
begin
  return query execute 'select * from public.notes where user_id = auth.uid() and title like ''' || filter || '''';
end
$$;
