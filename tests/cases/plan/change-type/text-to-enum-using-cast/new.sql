alter table s.t alter column b type s.mood using 'ok'::s.mood;
