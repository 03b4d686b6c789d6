alter table s.t drop v, add v text;
alter table s.t alter v type char using v::char;
