# Falls back to English key by key.
