alter table s.t alter column g set expression as (a + 2);
