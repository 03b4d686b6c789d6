alter table public.messages add constraint short check (length(content) < 100);
