revoke all on public.projects from authenticated;
grant select, insert on public.projects to authenticated;
grant update, delete on public.projects to authenticated;
