create unique index u on public.prompts (title);
