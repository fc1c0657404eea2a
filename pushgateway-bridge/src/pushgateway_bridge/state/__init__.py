"""The newest sample of each series, and what is known of each source."""
