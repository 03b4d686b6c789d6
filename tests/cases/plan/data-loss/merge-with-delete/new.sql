merge into s.child c using s.t t on t.id = c.id when matched then delete;
