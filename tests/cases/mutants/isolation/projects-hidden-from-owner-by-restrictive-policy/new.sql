create policy shut on projects as restrictive to authenticated using (false);
