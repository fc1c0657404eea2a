"""A made-up fleet that reports to a running stack: ``python -m demo run`` and ``clean``. docs/demo.md."""
