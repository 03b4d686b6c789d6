-- Stand-in for index_advisor, which rests on hypopg.

create function index_advisor(query text) returns table (
  startup_cost_before jsonb, startup_cost_after jsonb, total_cost_before jsonb, total_cost_after jsonb,
  index_statements text[], errors text[]
) language plpgsql as $$
begin
  raise exception 'index_advisor is not available on the embedded engine' using errcode = 'feature_not_supported';
end $$;
