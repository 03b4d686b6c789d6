revoke insert on public.messages from authenticated;
