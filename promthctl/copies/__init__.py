"""Copies of databases: written to a file, read from one, or streamed from one database into another.

pg_dump.py     a pg_dump of this machine that can read a server
dumping.py     `promthctl dump`: a database as a file
backup_file.py such a file, or a backup of the platform's, loaded into a fresh Supabase
row_copy.py    rows streamed from one snapshot, whole tables or a sample
masks.py       what is written in the place of a column's values
comparing.py   whether two databases have the same rows
"""
