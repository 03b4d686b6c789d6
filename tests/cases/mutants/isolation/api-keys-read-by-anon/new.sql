grant select on api_keys to anon;
create policy added on api_keys for select to anon using (true);
