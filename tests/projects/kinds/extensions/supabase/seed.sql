insert into public.places (path, name, attributes) values
  ('europe.de.berlin', 'Berlin', 'population=>3600000'), ('europe.fr.paris', 'Paris', ''), ('asia.jp', 'Japan', '');
update public.places set attributes = attributes || 'capital=>true' where path <@ 'europe' and similarity(name, 'berlin') > 0.5;
