do $$ begin
  create type ticket_state as enum ('open', 'closed');
exception when duplicate_object then null;
end $$;
create domain email_address as text check (value ~ '^[^@\s]+@[^@\s]+$');
create type money_amount as (amount numeric(12, 2), currency char(3));

create table if not exists tickets (
  id uuid default gen_random_uuid() primary key,
  owner uuid default auth.uid() not null references auth.users on delete cascade,
  title text not null,
  body text not null default '',
  state ticket_state not null default 'open',
  contact email_address,
  fee money_amount,
  opened_at timestamptz not null default now(),
  closed_at timestamptz,
  words tsvector generated always as (to_tsvector('english', title || ' ' || body)) stored,
  is_open boolean generated always as (closed_at is null) stored,
  constraint closed_after_opened check (closed_at >= opened_at)
);
create index if not exists tickets_words on tickets using gin (words);
create unique index if not exists one_open_title on tickets (owner, lower(title)) where closed_at is null;
alter table tickets enable row level security;
create policy own on tickets to authenticated using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
grant select, insert, update, delete on tickets to authenticated, service_role;
