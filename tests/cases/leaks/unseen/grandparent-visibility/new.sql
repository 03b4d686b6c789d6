create table spaces (id uuid primary key default gen_random_uuid(), owner_id uuid not null references auth.users on delete cascade, mode text not null default 'closed');
create table boards (id uuid primary key default gen_random_uuid(), space_id uuid not null references spaces on delete cascade);
create table cards (id uuid primary key default gen_random_uuid(), board_id uuid not null references boards on delete cascade, body text);
create function open_board(board uuid) returns boolean language sql stable security definer set search_path = '' as
 $$ select exists (select from public.boards b join public.spaces s on s.id = b.space_id where b.id = board and (s.owner_id = auth.uid() or s.mode = 'fair')) $$;
alter table spaces enable row level security;
grant all on spaces to authenticated, service_role;
alter table boards enable row level security;
grant all on boards to authenticated, service_role;
alter table cards enable row level security;
grant all on cards to authenticated, service_role;

create policy own on spaces to authenticated using (owner_id = auth.uid()) with check (owner_id = auth.uid());
create policy own on boards to authenticated using (exists (select from spaces s where s.id = space_id and s.owner_id = auth.uid()));
create policy see on cards for select to authenticated using (open_board(board_id));
