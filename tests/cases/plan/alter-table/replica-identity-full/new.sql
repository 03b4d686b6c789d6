alter table s.t replica identity full;
