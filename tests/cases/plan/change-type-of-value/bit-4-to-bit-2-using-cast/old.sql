create table s.change as select b'1011'::bit(4) as c;
