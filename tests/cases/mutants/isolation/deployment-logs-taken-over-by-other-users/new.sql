alter policy deployment_logs_update_own on deployment_logs using (true);
