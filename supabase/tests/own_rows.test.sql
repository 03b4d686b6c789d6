-- What belongs to a user is seen and changed by that user alone: `promthctl test` runs this on a copy of the database.
begin;
create extension if not exists pgtap with schema extensions;
select plan(10);

-- Ids are variables of psql, which may stand in statements.
\set alice '11111111-1111-4111-8111-111111111111'
\set bob '22222222-2222-4222-8222-222222222222'
insert into auth.users (id, email) values (:'alice', 'alice@example.com'), (:'bob', 'bob@example.com');
insert into public.projects (id, user_id, name, user_prompt)
values ('aaaaaaaa-0000-4000-8000-000000000000', :'alice', 'Shop', 'Build a shop');
insert into public.agent_logs (project_id, agent_number, agent_name, status)
values ('aaaaaaaa-0000-4000-8000-000000000000', 1, 'Planner', 'done');
insert into public.prompts (user_id, title, content, is_public)
values (:'alice', 'Mine', 'secret', false), (:'alice', 'For all', 'shared', true);

set local role authenticated;
set local request.jwt.claims to '{"sub": "11111111-1111-4111-8111-111111111111", "role": "authenticated"}';
select results_eq('select name from public.projects', array['Shop'], 'Alice sees her project');
select results_eq('select count(*) from public.agent_logs', array[1::bigint], 'Alice sees its log');
select lives_ok($$ update public.projects set name = 'Store' $$, 'Alice may rename it');

set local request.jwt.claims to '{"sub": "22222222-2222-4222-8222-222222222222", "role": "authenticated"}';
select is_empty('select 1 from public.projects', 'Bob sees no project of hers');
select is_empty('select 1 from public.agent_logs', 'Bob sees no log of hers');
select results_eq('select title::text from public.prompts', array['For all'], 'Bob sees what Alice shares');
select is_empty($$ update public.prompts set content = 'mine now' returning 1 $$, 'Bob cannot change it');
select throws_ok(
  $$ insert into public.projects (user_id, name, user_prompt)
     values ('11111111-1111-4111-8111-111111111111', 'Hers', 'by Bob') $$,
  '42501', null, 'Bob cannot give Alice a project');

set local role anon;
set local request.jwt.claims to '{"role": "anon"}';
select throws_ok('select 1 from public.projects', '42501', null, 'nobody reads projects without signing in');
select throws_ok('select 1 from public.prompts', '42501', null, 'nor prompts that are shared');

select * from finish();
rollback;
