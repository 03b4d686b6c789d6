alter table s.t alter column b type jsonb using b::jsonb;
