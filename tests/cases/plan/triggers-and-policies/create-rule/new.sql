create rule r as on delete to s.t do instead nothing;
