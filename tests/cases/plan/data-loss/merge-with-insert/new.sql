merge into s.loose using s.t on true when not matched then insert values (1);
