-- as anon
select set_config('request.headers', '{"x-admin": "yes"}', true); select * from internal_notes();
