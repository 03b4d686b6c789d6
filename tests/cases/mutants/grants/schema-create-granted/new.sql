grant create on schema public to authenticated;
