"""Options and fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# No test asserts how long something takes: a busy machine is no fault.
settings.register_profile("telemetry", deadline=None)
settings.load_profile("telemetry")

REPOSITORY = Path(__file__).resolve().parent.parent


APART = {
    "faults/test_disk_full.py",
    "remote_write/test_process.py",
    "stack/test_remote_write.py",
    "stack/test_rules.py",
    "test_programs.py",
    "test_restart.py",
    "web/test_openapi.py",
}
"""Files whose tests take long and start servers of their own: each test may run in another process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m stack` or `-m browser`, files that do not name that mark are left out: to read them all takes long.

    So a mark must stand in the file whose tests it marks.
    """
    mark = config.option.markexpr
    if mark not in {"stack", "browser"} or not collection_path.match("test_*.py"):
        return None
    return None if f"pytest.mark.{mark}" in collection_path.read_text(encoding="utf-8") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, those of one file share servers, and so their process."""
    for item in items:
        if item.get_closest_marker("stack") and not any(item.path.match(name) for name in APART):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's root."""
    return REPOSITORY
