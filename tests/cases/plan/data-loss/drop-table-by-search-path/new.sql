set search_path = nowhere, s;
drop table loose;
