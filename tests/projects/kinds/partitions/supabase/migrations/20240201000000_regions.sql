create table public.offices (id int not null, region text not null, name text, primary key (id, region)) partition by list (region);
create table public.offices_eu partition of public.offices for values in ('de', 'fr');
create table public.offices_us (like public.offices including all);
alter table public.offices attach partition public.offices_us for values in ('us');
alter table public.offices enable row level security;
alter table public.offices_eu enable row level security;
alter table public.offices_us enable row level security;
grant select on public.offices to service_role;
