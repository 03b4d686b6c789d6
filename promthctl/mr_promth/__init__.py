"""What belongs to the Mr.Promth app alone: its migrations, the life cycles of its rows, what is public in it."""
