create trigger t2 before insert on s.t for each row execute function s.tf();
