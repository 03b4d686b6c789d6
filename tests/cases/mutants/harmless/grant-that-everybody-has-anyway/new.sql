revoke usage on schema public from authenticated;
