create table s.change as select b'1011'::bit varying(4) as c;
