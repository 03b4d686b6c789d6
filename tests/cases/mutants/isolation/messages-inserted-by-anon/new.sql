grant insert on messages to anon;
create policy added on messages for insert to anon with check (true);
