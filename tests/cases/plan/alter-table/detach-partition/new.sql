alter table s.part detach partition s.part1;
