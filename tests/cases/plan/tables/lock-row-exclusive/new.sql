lock table s.t in row exclusive mode;
