alter policy agent_logs_insert_own on agent_logs with check (true);
