alter table s.child drop constraint child_t_id_fkey;
