alter table public.agent_logs drop constraint agent_logs_project_id_fkey,
  add constraint agent_logs_project_id_fkey foreign key (project_id) references public.projects (id)
  on delete cascade not valid;
