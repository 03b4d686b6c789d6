insert into reports (user_id, text) values (:owner, 'secret');
-- as other {"user_metadata": {"org_role": "auditor"}}
select 1 from reports where user_id = :owner
