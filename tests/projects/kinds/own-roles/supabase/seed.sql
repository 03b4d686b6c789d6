insert into public.reports (title) values ('2023'), ('2024');
