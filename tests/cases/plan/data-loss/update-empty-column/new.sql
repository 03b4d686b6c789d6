update s.t set free = 1;
