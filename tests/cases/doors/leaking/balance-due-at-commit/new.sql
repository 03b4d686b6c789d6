create function public.balanced() returns trigger language plpgsql as $$
begin
  if (select sum(amount) from public.invoices) <> 0 then raise exception 'the invoices must balance'; end if;
  return null;
end
$$;
create constraint trigger balanced after insert or update on public.invoices deferrable initially deferred
  for each row execute function public.balanced();
create function public.billed_notes() returns setof public.notes language sql security definer set search_path = '' as
  $$ select n.* from public.notes n where exists (select from public.invoices i where i.user_id = n.user_id) $$;
