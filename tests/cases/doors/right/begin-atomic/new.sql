create function public.my_invoices() returns setof public.invoices language sql security definer set search_path = ''
begin atomic
  select * from public.invoices where user_id = auth.uid();
end;
