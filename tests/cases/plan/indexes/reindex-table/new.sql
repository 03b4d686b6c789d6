reindex table s.t;
