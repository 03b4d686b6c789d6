create table s.change as select '2026-01-02 03:04:05.678'::timestamp(3) as c;
