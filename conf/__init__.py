"""Settings and errors: the lowest room, which every other may import."""
