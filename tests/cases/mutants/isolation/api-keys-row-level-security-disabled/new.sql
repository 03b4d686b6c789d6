alter table api_keys disable row level security;
