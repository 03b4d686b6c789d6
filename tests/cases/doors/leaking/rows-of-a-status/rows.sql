update notes set status = 'archived';
