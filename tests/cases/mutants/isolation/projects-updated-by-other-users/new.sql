alter policy projects_update_own on projects using (true) with check (true);
