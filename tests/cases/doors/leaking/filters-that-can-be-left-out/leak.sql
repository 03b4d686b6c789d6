-- as anon
select body from find_notes(p_private => true, p_user_id => 'a11ce000-0000-0000-0000-000000000000');
