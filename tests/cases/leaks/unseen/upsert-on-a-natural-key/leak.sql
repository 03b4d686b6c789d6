insert into pages (slug, user_id, locked) values ('home', :owner, false);
-- as other
insert into pages (slug, user_id) values ('home', :other) on conflict (slug) do update set user_id = :other
