create table s.change as select '2026-01-02'::date as c;
