"""The push bridge beside Pushgateway: one module a part of the table."""
