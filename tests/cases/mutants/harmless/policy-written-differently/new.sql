alter policy projects_select_own on public.projects
  using (((projects.user_id) = (SELECT auth.uid() AS "uid")));
