"""The log of accepted pushes on disk: SQLite, one writer thread, group commit."""
