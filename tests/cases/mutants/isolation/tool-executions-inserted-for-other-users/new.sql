alter policy tool_executions_insert_own on tool_executions with check (true);
