alter policy projects_select_own on projects using (true);
