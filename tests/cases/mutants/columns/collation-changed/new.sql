alter table public.prompts alter column content type text collate "C";
