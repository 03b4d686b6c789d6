alter policy tool_executions_update_own on tool_executions using (true);
