alter policy projects_update_own on projects with check (true);
