drop policy p on s.t;
create policy p on s.t using (false);
