drop view s.v;
drop materialized view s.mv;
drop sequence if exists s.x;
drop index s.t_a;
