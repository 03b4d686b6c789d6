"""What belongs to the Mr.Promth app alone: its migrations, its life cycles, what it shows to everybody."""
