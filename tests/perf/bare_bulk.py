"""What one would write by hand: supabase-py inserting ready-made rows in chunks. Reads {url, key, rows} from stdin."""

import json
import sys

from supabase import create_client

given = json.load(sys.stdin)
client = create_client(given["url"], given["key"])
for start in range(0, len(given["rows"]), 500):
    client.table("api_keys").insert(given["rows"][start : start + 500]).execute()
