create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_net with schema extensions;
grant usage on schema cron to postgres;
grant all privileges on all tables in schema cron to postgres;

select vault.create_secret('https://project.example.com', 'project_url');

select cron.schedule(
  'call-every-minute',
  '* * * * *',
  $$
  select net.http_post(
    url := (select decrypted_secret from vault.decrypted_secrets where name = 'project_url') || '/functions/v1/hello',
    headers := jsonb_build_object('Content-type', 'application/json'),
    body := concat('{"time": "', now(), '"}')::jsonb
  ) as request_id;
  $$
);
select cron.schedule('nightly', '30 3 * * 6', $$delete from public.events where created_at < now() - interval '1 week'$$);
select cron.schedule('often', '30 seconds', 'select 1');
select cron.unschedule('often');
select cron.unschedule(jobid) from cron.job where jobname = 'gone';
do $$
begin
  perform cron.unschedule('nightly');
  perform cron.schedule('nightly', '0 4 * * *', 'vacuum');
exception when others then
  raise notice 'not scheduled: %', sqlerrm;
end $$;
