revoke select on messages from service_role;
