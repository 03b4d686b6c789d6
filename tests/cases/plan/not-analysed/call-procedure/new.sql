call s.nope(1);
