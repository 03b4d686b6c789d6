alter policy projects_select_own on public.projects using (user_id = auth.uid());
