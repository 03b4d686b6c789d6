alter table s.t alter b set storage external;
