alter table s.t alter column checked type boolean using checked::boolean;
