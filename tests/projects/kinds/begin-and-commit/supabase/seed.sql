begin;
insert into accounts (id, name, kind) values (4, 'till', 'asset');
commit;
select rename_account(4, 'drawer');
