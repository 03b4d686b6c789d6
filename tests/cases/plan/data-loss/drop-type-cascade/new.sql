drop type s.mood cascade;
