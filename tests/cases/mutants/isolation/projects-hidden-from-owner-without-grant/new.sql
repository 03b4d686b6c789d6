revoke select on projects from authenticated;
