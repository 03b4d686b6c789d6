-- Every table has row level security, and no policy lets anybody in who has not signed in.
begin;
create extension if not exists pgtap with schema extensions;
select no_plan();

select ok(relrowsecurity, format('%s has row level security', relname))
  from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname;

select policy_roles_are('public', tablename, policyname, array['authenticated'])
  from pg_policies where schemaname = 'public' order by tablename, policyname;

select col_is_fk('public', 'projects', 'user_id', 'a project belongs to a user');
select col_is_unique('public', 'cli_sessions', 'session_token', 'a token names one session');

select * from finish();
rollback;
