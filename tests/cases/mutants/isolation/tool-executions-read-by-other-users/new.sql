alter policy tool_executions_select_own on tool_executions using (true);
