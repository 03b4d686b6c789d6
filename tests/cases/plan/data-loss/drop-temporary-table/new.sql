create temporary table t (i int);
drop table t;
