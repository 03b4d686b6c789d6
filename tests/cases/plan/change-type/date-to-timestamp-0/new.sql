alter table s.t alter column d type timestamp(0);
