alter policy deployment_logs_insert_own on deployment_logs with check (true);
