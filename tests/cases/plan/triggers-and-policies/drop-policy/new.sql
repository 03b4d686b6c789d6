drop policy p on s.t;
