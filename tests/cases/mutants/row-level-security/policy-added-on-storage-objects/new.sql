create policy everybody on storage.objects for select using (true);
