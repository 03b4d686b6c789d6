grant truncate on public.messages to authenticated;
