revoke insert on messages from service_role;
