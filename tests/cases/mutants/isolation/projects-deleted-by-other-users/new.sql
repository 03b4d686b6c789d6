alter policy projects_delete_own on projects using (true);
