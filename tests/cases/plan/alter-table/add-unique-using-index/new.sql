alter table s.t add constraint k unique using index t_nn;
