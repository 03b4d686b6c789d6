create view private.deep as select * from public.notes;
create view public.surface as select id, body from private.deep;
