create function rename_account(id int, name text) returns void language sql
begin atomic
  update accounts a set name = $2 where a.id = $1;
end;
