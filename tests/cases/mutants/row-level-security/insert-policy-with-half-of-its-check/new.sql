alter policy tool_executions_insert_own on public.tool_executions with check (
  project_id = any (array(select id from public.projects where user_id = (select auth.uid()))));
