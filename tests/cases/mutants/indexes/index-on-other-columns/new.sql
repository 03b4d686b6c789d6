drop index public.projects_user_id_updated_at_idx;
create index projects_user_id_updated_at_idx on public.projects (updated_at desc, user_id);
