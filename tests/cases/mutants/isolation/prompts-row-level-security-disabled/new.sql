alter table prompts disable row level security;
