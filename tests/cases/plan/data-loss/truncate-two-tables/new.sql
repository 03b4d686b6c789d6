truncate s.child, s.loose;
