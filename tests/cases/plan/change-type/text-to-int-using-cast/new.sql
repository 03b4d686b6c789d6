alter table s.t alter column b type int using b::int;
