"""Turns pushed JSON into Prometheus metrics, on disk before it answers."""
