-- What `supabase db pull` adds for the schemas that a dump leaves out.
create trigger "on_user" after update on "auth"."users" for each row execute function "public"."touch"();
drop trigger "on_user" on "auth"."users";
create policy "Give users access to own folder 1_0" on "storage"."objects" as permissive for select to public
  using (((bucket_id = 'a'::text) and ((( select (auth.uid())::text as uid) = (storage.foldername(name))[1]))));
grant delete on table "storage"."buckets" to "service_role";
revoke select on table "storage"."objects" from "anon";
