-- case: interval loses its time
alter table notes alter dur type interval day;
-- case: interval loses fractions
alter table notes alter dur type interval second(0);
-- case: timestamp to date
alter table notes alter made type date;
-- case: timestamptz to date
alter table notes alter seen type date;
-- case: timestamp without fractions
alter table notes alter made type timestamp(0);
-- case: timestamp to time
alter table notes alter made type time using made::time;
-- case: numeric scale
alter table notes alter price type numeric(10, 1);
-- case: numeric to integer
alter table notes alter price type integer;
-- case: double to real
alter table notes alter rate type real;
-- case: double to integer
alter table notes alter rate type integer;
-- case: text cut to varchar
alter table notes alter title type varchar(10) using left(title, 10);
-- case: text cut by an explicit cast
alter table notes alter body type varchar(12) using body::varchar(12);
-- case: text trimmed
alter table notes alter title type text using trim(title);
-- case: text in lower case
alter table notes alter title type text using lower(title);
-- case: leading zeros lost
alter table notes alter code type integer using code::integer;
-- case: leading zeros lost by bigint
alter table notes alter code type bigint using code::bigint;
-- case: json to jsonb
alter table notes alter raw type jsonb;
-- case: enum mapped to another member
create type mood2 as enum ('calm', 'glad'); alter table notes alter mood drop default; alter table notes alter mood type mood2 using (case mood::text when 'sad' then 'calm' else mood::text end)::mood2;
-- case: enum rebuilt without a member
update notes set mood = 'calm' where mood = 'sad'; alter type mood rename to mood_old; create type mood as enum ('calm', 'glad'); alter table notes alter mood drop default; alter table notes alter mood type mood using mood::text::mood; drop type mood_old;
-- case: inet without its mask
alter table app.things alter addr type inet using host(addr)::inet;
-- case: bigint to text of another base
alter table app.things alter sz type text using to_hex(sz);
-- case: boolean flipped
alter table notes alter done drop default; alter table notes alter done type boolean using not done;
-- case: array to its first member
alter table notes alter tags type text using tags[1];
-- case: jsonb without a key
alter table profiles alter settings type jsonb using settings - 'deep';
-- case: update all
update notes set body = 'gone';
-- case: update to a default
update notes set status = default;
-- case: update by an expression
update notes set title = upper(title);
-- case: update by a case
update notes set title = case when title like '%note 2' then 'redacted' else title end;
-- case: update by a regular expression
update notes set body = regexp_replace(body, 'number \d', 'number ?');
-- case: update by a condition
update profiles set plan = 'free' where plan = 'pro';
-- case: update to null
update notes set body = null where status = 'open';
-- case: update from another table
update comments c set txt = n.title from notes n where n.id = c.note_id;
-- case: update in a function with a condition
create function fix() returns void language plpgsql as $$ begin update settings set value = 'x' where key = 'theme'; end $$; select fix();
-- case: update in a do block by a case
do $$ begin update settings set value = case key when 'theme' then 'light' else value end; end $$;
-- case: dynamic update
do $$ begin execute 'update settings set value = ''x'' where key = ''theme'''; end $$;
-- case: update with a nullif
update settings set value = nullif(value, 'dark-as-night');
-- case: insert on conflict update
insert into settings values ('theme', 'light') on conflict (key) do update set value = excluded.value;
-- case: merge that updates
merge into settings s using (values ('theme', 'light')) v (key, value) on v.key = s.key when matched then update set value = v.value;
-- case: merge that updates all
merge into comments c using notes n on n.id = c.note_id when matched then update set txt = n.body;
-- case: update through a view
update touched_values set v = 'same' where id = 3;
-- case: jsonb key removed
update profiles set settings = settings - 'lang';
-- case: jsonb key removed where it is
update profiles set settings = settings #- '{deep,n}' where settings ? 'deep';
-- case: array element removed
update notes set tags = array_remove(tags, 'tag-a-3');
-- case: numbers rounded
update notes set price = round(price);
-- case: a trigger sets the time
alter table touched add extra int; update touched set extra = 1;
-- case: sequence set back
alter sequence invoices restart;
-- case: identity set back
alter table notes alter id restart with 1;
-- case: setval to one
select setval('invoices', 1);
-- case: truncate and restart
truncate comments restart identity;
-- case: sequence dropped
drop sequence invoices;
-- case: serial becomes an identity that begins again
alter table comments alter id drop default; drop sequence comments_id_seq; alter table comments alter id add generated always as identity;
-- case: new trigger overwrites on the next update
create function o() returns trigger language plpgsql as $$ begin new.txt := 'x'; return new; end $$; create trigger o before update on comments for each row execute function o(); update comments set likes = likes;
-- case: swapped columns
update notes set title = left(body, 80), body = title where body is not null;
-- case: a column of ids rewritten
update profiles set name = 'user-' || id;
