create table audit (id bigint primary key generated always as identity, actor uuid references auth.users on delete set null, action text not null, at timestamptz not null default now());
alter table audit enable row level security;
grant all on audit to service_role;
