-- Reverses 002_agent_chain_schema, with all its data. Roll back 003 first.
-- promthctl: allow prefer-bigint-over-int numbers of agents and milliseconds

drop table if exists public.agent_logs;
drop table if exists public.projects;
