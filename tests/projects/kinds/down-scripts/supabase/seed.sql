insert into public.bookings (room, during, guest) values
  (1, '[2024-05-01 10:00+00, 2024-05-01 11:00+00)', 'Ann'),
  (1, '[2024-05-01 11:00+00, 2024-05-01 12:00+00)', 'Bob');
