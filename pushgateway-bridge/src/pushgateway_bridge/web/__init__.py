"""HTTP: requests in, replies and expositions out."""
