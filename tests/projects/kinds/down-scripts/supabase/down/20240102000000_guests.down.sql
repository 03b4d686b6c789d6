alter table public.bookings drop column guest;
