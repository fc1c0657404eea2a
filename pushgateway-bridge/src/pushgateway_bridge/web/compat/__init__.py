"""What some clients also read back from us: their GET routes, one file a dialect."""
