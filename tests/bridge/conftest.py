"""Fixtures of the bridge's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.harness import Harness


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Harness]:
    """A bridge without HTTP, on an empty journal."""
    harness = Harness(tmp_path / "journal")
    yield harness
    harness.close()
