create schema y create table z (i int);
drop schema y cascade;
