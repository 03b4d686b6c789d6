alter role anon set statement_timeout = '10min';
alter role authenticated set search_path = public, extensions;
