alter policy api_keys_insert_own on api_keys with check (true);
