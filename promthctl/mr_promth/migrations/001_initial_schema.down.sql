-- Reverses 001_initial_schema, with all its data. Roll back 003 and 002 first.
-- promthctl: allow prefer-text-field the app knows these limits and checks them

drop table if exists public.messages;
drop table if exists public.prompts;
drop table if exists public.chat_sessions;
drop table if exists public.api_keys;
drop table if exists public.user_profiles;

-- No cascade: a table of yours that still uses this function stops the rollback instead of losing its trigger.
drop function if exists public.update_updated_at_column();
