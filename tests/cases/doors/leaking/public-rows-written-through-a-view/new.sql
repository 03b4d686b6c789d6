create policy listed on public.notes for select using (is_public);
create view public.listed as select * from public.notes where is_public;
