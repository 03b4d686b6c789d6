alter table s.t owner to postgres;
