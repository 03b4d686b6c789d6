create policy added on deployment_logs for all to authenticated using (true);
