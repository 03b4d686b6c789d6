create rule quietly as on delete to public.messages do instead nothing;
