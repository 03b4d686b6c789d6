drop extension citext cascade;
