update s.t set b = '' where false;
