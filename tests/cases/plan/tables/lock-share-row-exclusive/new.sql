lock table s.t in share row exclusive mode;
