"""What a hostile clone, server or row tries against promthctl: nothing of it may happen."""
