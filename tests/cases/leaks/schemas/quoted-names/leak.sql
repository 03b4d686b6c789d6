insert into "My App"."User Notes" ("User Id", "State") values (:owner, 'out''er');
-- as other
select * from "My App"."User Notes"
