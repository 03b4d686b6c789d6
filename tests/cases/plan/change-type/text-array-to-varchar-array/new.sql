alter table s.t alter column arrt type varchar[];
