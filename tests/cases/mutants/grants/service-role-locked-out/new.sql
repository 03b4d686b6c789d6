revoke all on public.projects from service_role;
