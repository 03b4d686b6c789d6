alter policy user_profiles_insert_own on user_profiles with check (true);
