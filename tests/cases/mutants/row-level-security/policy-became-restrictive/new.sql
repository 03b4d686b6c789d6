drop policy projects_delete_own on public.projects;
create policy projects_delete_own on public.projects as restrictive for delete to authenticated
  using (user_id = (select auth.uid()));
