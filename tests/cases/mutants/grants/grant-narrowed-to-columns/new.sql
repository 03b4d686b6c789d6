revoke update on public.prompts from authenticated;
grant update (title, content) on public.prompts to authenticated;
