"""The JSON document about this host that a statix forwarder polls: ``GET /system``."""
