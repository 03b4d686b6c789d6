create index if not exists t_a on s.t (a);
