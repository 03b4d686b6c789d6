insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('avatars', 'avatars', true, 1048576, array['image/png', 'image/jpeg']),
       ('documents', 'documents', false, null, null)
on conflict (id) do update set public = excluded.public;

drop policy if exists "Avatars are public" on storage.objects;
create policy "Avatars are public" on storage.objects for select using (bucket_id = 'avatars');

create policy "Own folder: read" on storage.objects for select to authenticated
  using (bucket_id = 'documents' and (select auth.uid())::text = (storage.foldername(name))[1]);
create policy "Own folder: write" on storage.objects for insert to authenticated
  with check (bucket_id = 'documents' and auth.uid()::text = (storage.foldername(name))[1]
              and storage.extension(name) in ('pdf', 'txt') and storage.filename(name) not like '.%');
create policy "Own files: delete" on storage.objects for delete to authenticated
  using (bucket_id = 'documents' and owner_id = (select auth.uid()::text));
create policy "Anyone signed in sees the buckets" on storage.buckets for select to authenticated using (true);
