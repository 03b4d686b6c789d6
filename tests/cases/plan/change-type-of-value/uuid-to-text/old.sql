create table s.change as select '7d444840-9dc0-11d1-b245-5ffdce74fad2'::uuid as c;
