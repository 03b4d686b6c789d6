create view public.v with (security_invoker = true) as select id, title from public.prompts;
