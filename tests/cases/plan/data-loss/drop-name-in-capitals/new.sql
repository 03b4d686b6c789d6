drop table S.Loose;
