grant usage on schema vault to authenticated;
grant execute on function vault.create_secret to authenticated;
