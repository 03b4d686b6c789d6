select s.sta(), now(), pg_catalog.set_config('a.b', '', false), count(*) from s.t;
