alter table s.t disable trigger trg;
