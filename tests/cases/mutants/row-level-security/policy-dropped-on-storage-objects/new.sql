drop policy mine on storage.objects;
