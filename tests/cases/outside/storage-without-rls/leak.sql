-- as anon
select id from storage.buckets;
