drop index public.prompts_public_updated_at_idx;
create index prompts_public_updated_at_idx on public.prompts (updated_at desc);
