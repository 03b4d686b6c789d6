"""API keys: where they come from, how they are encrypted and stored, and how stored ones are checked and changed."""
