grant select on public.prompts to authenticated with grant option;
