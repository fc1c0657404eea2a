"""What turns any JSON into metrics: a YAML file says which path of a body becomes which series."""
