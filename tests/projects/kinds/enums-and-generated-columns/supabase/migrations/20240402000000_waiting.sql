alter type ticket_state add value if not exists 'waiting' before 'closed';
