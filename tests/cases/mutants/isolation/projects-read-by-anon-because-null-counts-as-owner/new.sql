grant select on projects to anon;
alter policy projects_select_own on projects to public using (coalesce(auth.uid(), user_id) = user_id);
