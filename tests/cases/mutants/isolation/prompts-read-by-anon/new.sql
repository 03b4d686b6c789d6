grant select on prompts to anon;
create policy added on prompts for select to public using (true);
