drop table if exists s.gone;
drop schema if exists gone cascade;
drop type if exists s.gone cascade;
