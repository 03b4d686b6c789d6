update notes set is_public = true;
