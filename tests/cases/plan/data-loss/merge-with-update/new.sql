merge into s.loose using s.t on true when matched then update set id = 1;
