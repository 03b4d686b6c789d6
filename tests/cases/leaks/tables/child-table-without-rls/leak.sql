insert into patients (user_id, name, illness) values (:owner, 'Ada', 'flu');
-- as other
select 1 from patients where user_id = :owner
