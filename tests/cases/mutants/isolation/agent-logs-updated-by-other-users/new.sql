alter policy agent_logs_update_own on agent_logs using (true) with check (true);
