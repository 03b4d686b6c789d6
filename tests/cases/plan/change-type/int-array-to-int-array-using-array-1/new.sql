alter table s.t alter column arr type int[] using array[1];
