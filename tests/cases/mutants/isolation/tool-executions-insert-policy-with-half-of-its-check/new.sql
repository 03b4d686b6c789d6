alter policy tool_executions_insert_own on tool_executions
  with check (project_id = any (array(select id from projects where user_id = (select auth.uid()))));
