drop table "s"."loose";
