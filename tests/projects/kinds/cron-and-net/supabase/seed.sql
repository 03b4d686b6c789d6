insert into public.runs (job) values ('clean-runs');
