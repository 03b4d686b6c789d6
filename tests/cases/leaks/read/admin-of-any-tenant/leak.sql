with o as (insert into orgs (name) values ('one'), ('two') returning id, name), m as (
  insert into members select id, :other, 'admin' from o where name = 'two')
  insert into invoices (org_id) select id from o where name = 'one';
-- as other
select * from invoices
