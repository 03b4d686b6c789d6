select s.vol();
