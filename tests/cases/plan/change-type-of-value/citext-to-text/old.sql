create table s.change as select 'Abc'::citext as c;
