drop function s.tf() cascade;
