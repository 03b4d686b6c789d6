do $$
begin
  if exists (select from cron.job where jobname = 'digest') then
    perform cron.unschedule('digest');
  end if;
end $$;
select cron.schedule('digest', '0 * * * *', $job$select public.send_digest()$job$);
