alter table s.t alter column jb type text;
