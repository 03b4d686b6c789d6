create policy p2 on s.t using (true);
