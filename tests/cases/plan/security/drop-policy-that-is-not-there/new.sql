drop policy if exists nope on s.t;
