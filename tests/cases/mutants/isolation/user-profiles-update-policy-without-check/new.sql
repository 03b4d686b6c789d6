alter policy user_profiles_update_own on user_profiles with check (true);
