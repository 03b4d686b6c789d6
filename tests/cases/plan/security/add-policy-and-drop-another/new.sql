create policy p2 on s.t using (true);
drop policy p on s.t;
