"""A host's metrics under node_exporter's names."""
