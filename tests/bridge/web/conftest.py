"""Fixtures of the web layer's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pushgateway_bridge import app
from tests.bridge.harness import FakeClock
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web
from tests.bridge.web.running import WAYS


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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of the bridges that are made in this process."""
    clock = FakeClock()
    monkeypatch.setattr(app, "SystemClock", lambda: clock)
    return clock


@pytest.fixture
def clocked_web(tmp_path: Path, clock: FakeClock) -> Iterator[Web]:
    """A bridge on a clock that the test moves, which can make tokens."""
    with Web(tmp_path) as started:
        started.bridge.tokens.directory.mkdir(parents=True)
        yield started


@pytest.fixture(scope="module", params=WAYS)
def running_bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BridgeProcess]:
    """A bridge as a program of its own, once by each way of a push."""
    directory = tmp_path_factory.mktemp(request.param)
    with BridgeProcess(directory / "journal", *WAYS[request.param], log=directory / "log") as bridge:
        yield bridge
