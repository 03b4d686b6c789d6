revoke update on api_keys from authenticated;
grant update (masked_key) on api_keys to authenticated;
alter policy api_keys_update_own on api_keys using (true) with check (true);
