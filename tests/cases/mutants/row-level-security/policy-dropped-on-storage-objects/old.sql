create policy mine on storage.objects for select to authenticated
  using (bucket_id = 'a' and (storage.foldername(name))[1] = (select auth.uid())::text);
