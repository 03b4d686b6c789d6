update notes set price = 10;
