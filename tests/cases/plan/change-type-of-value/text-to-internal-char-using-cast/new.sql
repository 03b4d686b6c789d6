alter table s.change alter column c type "char" using c::"char";
