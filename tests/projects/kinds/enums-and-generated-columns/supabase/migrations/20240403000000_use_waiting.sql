alter table tickets alter column state set default 'waiting';
create index tickets_waiting on tickets (opened_at) where state = 'waiting';
