"""Prometheus' web configuration file for asyncio servers: TLS, client certificates, users and headers."""
