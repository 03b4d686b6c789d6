create policy added on projects for select to authenticated using (true);
