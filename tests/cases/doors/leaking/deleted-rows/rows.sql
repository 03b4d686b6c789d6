update notes set deleted_at = now();
