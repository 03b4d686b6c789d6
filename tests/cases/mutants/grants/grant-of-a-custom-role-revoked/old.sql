create role reader;
grant select on public.prompts to reader;
