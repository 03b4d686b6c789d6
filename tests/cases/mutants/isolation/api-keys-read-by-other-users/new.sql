alter policy api_keys_select_own on api_keys using (true);
