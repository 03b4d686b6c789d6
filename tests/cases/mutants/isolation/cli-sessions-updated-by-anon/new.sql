grant update on cli_sessions to anon;
create policy added on cli_sessions for update to anon using (true);
