grant select on s.t to anon;
