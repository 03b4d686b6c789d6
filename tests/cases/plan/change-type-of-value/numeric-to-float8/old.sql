create table s.change as select 1234567890.123456789012345678::numeric as c;
