-- as anon
update listed set title = 'defaced';
