create table plans (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users on delete cascade, title text not null);
create function caller() returns uuid language plpgsql stable security definer set search_path = '' as $$
begin
  if coalesce((auth.jwt() ->> 'exp')::numeric, 0) < extract(epoch from now()) then raise exception 'the token is not valid'; end if;
  return auth.uid();
end $$;
alter table plans enable row level security;
grant all on plans to service_role;
grant select, insert, update, delete on plans to authenticated;
create policy own on plans to authenticated using (user_id = (select caller())) with check (user_id = (select caller()));
