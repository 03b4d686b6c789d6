"""The proof that no user reaches another's rows."""
