alter policy cli_sessions_select_own on cli_sessions using (id = (select auth.uid()));
