"""Small projects as people have them, each brought up, pushed, reset and taken down as it is."""
