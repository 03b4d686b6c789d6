alter policy api_keys_delete_own on api_keys using (true);
