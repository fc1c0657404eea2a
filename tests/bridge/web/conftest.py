"""Fixtures of the web layer's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.web.harness import Web


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A bridge that takes pushes, on an empty journal."""
    with Web(tmp_path) as started:
        yield started


@pytest.fixture
def starting_web(tmp_path: Path) -> Iterator[Web]:
    """A bridge before its replay."""
    with Web(tmp_path, started=False) as starting:
        yield starting
