comment on table s.t is 'x';
