grant delete on cli_sessions to anon;
create policy added on cli_sessions for delete to anon using (true);
