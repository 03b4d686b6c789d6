insert into wages (user_id, year) values (:owner, 2019);
-- as other
select * from wages_by_year
