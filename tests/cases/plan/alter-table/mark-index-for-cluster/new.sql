alter table s.t cluster on t_a;
