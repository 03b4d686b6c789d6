"""SQL as text: tokens, quoting, statements as the Supabase CLI cuts them, DO blocks."""
