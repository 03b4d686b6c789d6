create table public.events (
  id bigint generated always as identity,
  user_id uuid not null default auth.uid(),
  at timestamptz not null default now(),
  kind text not null,
  payload jsonb not null default '{}',
  primary key (id, at)
) partition by range (at);

do $$
declare
  first date := date '2024-01-01';
begin
  for month in 0..2 loop
    execute format('create table public.events_%s partition of public.events for values from (%L) to (%L)',
      to_char(first + make_interval(months => month), 'YYYY_MM'),
      first + make_interval(months => month), first + make_interval(months => month + 1));
    execute format('alter table public.events_%s enable row level security', to_char(first + make_interval(months => month), 'YYYY_MM'));
  end loop;
end $$;
create table public.events_other partition of public.events default;
alter table public.events_other enable row level security;
alter table public.events enable row level security;
create policy own on public.events to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create index on public.events (user_id, at desc);
create index events_payload on public.events using gin (payload jsonb_path_ops);
grant select, insert, update, delete on public.events to authenticated, service_role;
