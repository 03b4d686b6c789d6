alter policy messages_select_own on public.messages using (true);
