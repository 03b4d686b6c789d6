drop index s.t_a;
