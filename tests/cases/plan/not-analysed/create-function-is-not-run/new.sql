create function s.f() returns void language sql as 'drop table s.t';
