alter table public.projects drop column error_message;
alter table public.projects add column error_message text generated always as (status || '!') stored;
