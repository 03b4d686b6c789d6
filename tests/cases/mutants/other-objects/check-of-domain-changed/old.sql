create domain public.percent as integer default 0 check (value between 0 and 100);
