create extension postgres_fdw with schema extensions;
create server far foreign data wrapper postgres_fdw;
create foreign table a (id int) server far;
