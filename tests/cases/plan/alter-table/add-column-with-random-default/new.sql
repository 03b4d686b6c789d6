alter table s.t add column x float8 default random() * 3;
