-- as anon
select body from notes_where(p_public => false);
