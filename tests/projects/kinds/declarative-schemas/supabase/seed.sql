insert into products (name, category) values ('Lamp', 'light'), ('Desk', 'work'), ('Chair', 'work');
