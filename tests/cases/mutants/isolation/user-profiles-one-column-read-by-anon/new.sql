grant select (email) on user_profiles to anon;
create policy added on user_profiles for select to anon using (true);
