create index on s.t (big);
