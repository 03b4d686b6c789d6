alter policy agent_logs_select_own on agent_logs using (true);
