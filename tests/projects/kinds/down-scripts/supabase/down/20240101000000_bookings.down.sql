drop table public.bookings;
drop extension btree_gist;
