"""The exporter beside node_exporter: one module a part of the table."""
