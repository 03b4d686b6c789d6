alter policy projects_select_own on public.projects using (id = (select auth.uid()));
