create table public.events (id bigint generated always as identity primary key, created_at timestamptz default now());
alter table public.events enable row level security;

create function public.notify_backend() returns trigger language plpgsql security definer as $$
begin
  perform net.http_post('https://backend.example.com/hook', to_jsonb(new), timeout_milliseconds := 1000);
  return new;
end $$;
create trigger notify_backend after insert on public.events for each row execute function public.notify_backend();

-- As the dashboard writes a database webhook.
create trigger "my_webhook" after insert or update on "public"."events" for each row
  execute function "supabase_functions"."http_request"(
    'https://backend.example.com/webhook', 'POST', '{"Content-type":"application/json"}', '{}', '1000');
