alter policy user_profiles_select_own on user_profiles using (true);
