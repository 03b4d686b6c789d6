create extension if not exists btree_gist with schema extensions;
create table public.bookings (
  id bigint generated always as identity primary key,
  room int not null,
  during tstzrange not null,
  exclude using gist (room with =, during with &&)
);
alter table public.bookings enable row level security;
grant select on public.bookings to service_role;
