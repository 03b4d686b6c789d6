"""API keys: where they come from, how they are encrypted and stored, and how stored ones are checked and changed.

key               a key between its source and the database, and its checks
sources           a file, standard input or variables → keys
key_file          the file: opened, its format recognised
key_file_formats  JSON Lines, CSV, one JSON document
key_record        a record of any of them → a key
providers         what is known of each provider: a table
encryption        how a stored key is encrypted
api_keys_table    the table api_keys, through the API
users             the owners of keys, through the Auth API
seeding           `seed`: keys from a source, stored for their users
key_batch         all keys of a source, checked before the first is stored
seed_rows         keys → rows: compared, encrypted, written
existing_rows     the rows they are compared with
listing           `keys list`
checking          `keys check`
live_check        `keys check --live`: one tiny request with each key
rotation          `keys rotate`
changing          `keys replace` and `keys remove`
"""
