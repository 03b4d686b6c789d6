alter policy projects_insert_own on projects with check (true);
