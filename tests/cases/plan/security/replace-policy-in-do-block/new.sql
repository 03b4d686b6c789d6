drop policy if exists p on s.t;
do $$ begin create policy p on s.t using (true); end $$;
