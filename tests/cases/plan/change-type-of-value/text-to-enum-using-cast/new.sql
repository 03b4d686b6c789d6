alter table s.change alter column c type s.mood using c::s.mood;
