drop trigger welcome on auth.users;
