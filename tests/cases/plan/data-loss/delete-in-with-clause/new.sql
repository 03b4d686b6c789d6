with gone as (delete from s.child returning *) select * from gone;
