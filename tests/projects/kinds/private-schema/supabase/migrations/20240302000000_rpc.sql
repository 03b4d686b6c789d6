create function public.new_post(title text) returns public.posts language plpgsql security invoker as $$
declare
  made public.posts;
begin
  insert into public.posts (title) values (new_post.title) returning * into made;
  return made;
exception
  when check_violation then
    raise exception using errcode = 'PT400', message = 'not a title';
end;
$$;
revoke all on function public.new_post(text) from public;
grant execute on function public.new_post(text) to authenticated, service_role;
alter default privileges in schema api grant execute on functions to authenticated;
notify pgrst, 'reload schema';
