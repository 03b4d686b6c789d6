create function public.read_table(table_name text) returns setof jsonb language plpgsql security definer set search_path = '' as $$
begin
  return query execute format('select to_jsonb(t) from public.%I t', table_name);
end
$$;
