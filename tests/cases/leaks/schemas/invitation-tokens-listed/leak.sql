insert into orgs (id, name) values ('00000000-0000-4000-8000-0000000000c1', 'a');
insert into invitations (org_id, email) values ('00000000-0000-4000-8000-0000000000c1', 'x@example.com');
-- as other
select 1 from invitations where email = 'x@example.com'
