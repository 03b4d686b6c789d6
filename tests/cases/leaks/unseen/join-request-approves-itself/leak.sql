insert into clubs values ('11111111-1111-4111-8111-111111111111'); insert into minutes (club_id) select id from clubs;
-- as other
insert into memberships values ('11111111-1111-4111-8111-111111111111', :other, 'in');
select * from minutes
