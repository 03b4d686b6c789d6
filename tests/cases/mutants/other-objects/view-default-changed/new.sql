alter view public.v alter column a drop default;
