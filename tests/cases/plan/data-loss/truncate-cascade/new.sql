truncate s.t cascade;
