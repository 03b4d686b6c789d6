drop policy projects_select_own on projects;
