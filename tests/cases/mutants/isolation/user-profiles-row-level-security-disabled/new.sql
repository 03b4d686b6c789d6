alter table user_profiles disable row level security;
