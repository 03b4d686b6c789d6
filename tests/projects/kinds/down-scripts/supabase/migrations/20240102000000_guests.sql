alter table public.bookings add column guest text not null default 'unknown';
