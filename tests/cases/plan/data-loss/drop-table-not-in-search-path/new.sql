drop table loose;
