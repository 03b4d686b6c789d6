alter policy deployment_logs_select_own on deployment_logs using (true);
