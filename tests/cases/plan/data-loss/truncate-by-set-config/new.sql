select set_config('search_path', 's', false);
truncate loose;
