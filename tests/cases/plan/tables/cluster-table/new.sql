cluster s.t using t_a;
