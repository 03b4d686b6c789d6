insert into tenants values ('11111111-1111-4111-8111-111111111111'); insert into bills (tenant_id) select id from tenants;
-- as other {"user_metadata": {"tenant": "11111111-1111-4111-8111-111111111111"}}
select * from bills
