alter type public.mood add value 'fair';
