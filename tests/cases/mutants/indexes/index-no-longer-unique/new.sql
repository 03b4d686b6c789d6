drop index public.u;
create index u on public.prompts (title);
