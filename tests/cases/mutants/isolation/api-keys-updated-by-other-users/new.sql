alter policy api_keys_update_own on api_keys using (true) with check (true);
