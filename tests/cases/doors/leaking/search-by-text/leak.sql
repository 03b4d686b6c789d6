-- as mallory
select * from search_notes('alice');
