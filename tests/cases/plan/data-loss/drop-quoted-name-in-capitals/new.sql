drop table s."Loose";
