create view public.all_notes as select * from public.notes;
revoke all on public.all_notes from public, anon, authenticated;
