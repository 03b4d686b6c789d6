update notes set status = 'active', is_public = true;
