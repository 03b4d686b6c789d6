create table s.change as select 'ok'::s.mood as c;
