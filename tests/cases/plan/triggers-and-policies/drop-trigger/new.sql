drop trigger trg on s.t;
