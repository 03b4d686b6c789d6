insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('documents', 'documents', false, 5242880, '{application/pdf,image/png}');
insert into storage.buckets (id, name, public) values ('logos', 'logos', true) on conflict (id) do nothing;

create policy "logos are public" on storage.objects for select using (bucket_id = 'logos');
create policy "members read documents" on storage.objects for select to authenticated
  using (bucket_id = 'documents' and public.is_member(((storage.foldername(name))[1])::uuid));
create policy "members add documents" on storage.objects for insert to authenticated
  with check (bucket_id = 'documents' and public.is_member(((storage.foldername(name))[1])::uuid)
              and storage.extension(name) = 'pdf');

drop policy if exists "logos are public" on storage.objects;
create policy "logos are public" on storage.objects for select to anon, authenticated using (bucket_id = 'logos');
