alter policy user_profiles_delete_own on user_profiles using (true);
