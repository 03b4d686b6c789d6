insert into s.parent values (11);
