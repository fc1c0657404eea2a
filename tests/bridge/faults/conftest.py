"""Fixtures of the tests of faults."""

from tests.bridge.faults.small_disk import small_disk

__all__ = ["small_disk"]
