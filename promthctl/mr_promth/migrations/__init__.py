"""The Mr.Promth schema: NNN_name.sql, each with its NNN_name.down.sql."""
