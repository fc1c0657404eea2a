"""The history of alerts: what Alertmanager told, on disk, and what Prometheus says of it."""
