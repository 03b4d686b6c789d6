drop type s.mood;
