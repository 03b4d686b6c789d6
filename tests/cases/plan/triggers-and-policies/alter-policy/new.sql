alter policy p on s.t using (false);
