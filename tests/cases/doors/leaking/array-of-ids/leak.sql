-- as mallory
select names_of(array['a11ce000-0000-0000-0000-000000000000']::uuid[]);
