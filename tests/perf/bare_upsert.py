"""What one would write by hand: supabase-py upserting fourteen ready-made rows. Reads {url, key, rows} from stdin."""

import json
import sys

from supabase import create_client

given = json.load(sys.stdin)
create_client(given["url"], given["key"]).table("api_keys").upsert(given["rows"]).execute()
