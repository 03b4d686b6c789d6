/* A comment; with a semicolon /* and another inside */ */
insert into public.articles (id, category, name, note)
values (1, 1, 'Atlas', $note$It's "large"; $5 off$note$), (2, 1, 'Grammar', E'line\nbreak');
