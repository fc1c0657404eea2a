"""Options and fixtures that every test may use."""

from __future__ import annotations

from collections import Counter
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
LONGEST = (
    "stack/test_launcher_stack.py",
    "web/test_openapi.py",
    "stack/test_alert_history.py",
    "web/test_http_conformance.py",
    "stack/dashboards/test_stack_dashboards.py",
    "stack/test_remote_write.py",
    "stack/test_migration_pages.py",
)
"""Files of tests marked `stack` that take longest, beginning with the longest."""


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
    """Where tests run in several processes, those of one file share servers, and so their process.

    What takes long begins first: else one process is left with it in the end.
    """
    in_file = Counter(item.path for item in items)

    def turn(item: pytest.Item) -> tuple[int, int, str]:
        if not item.get_closest_marker("stack"):
            return len(LONGEST) + 1, 0, ""
        found = (place for place, name in enumerate(LONGEST) if item.path.match(name))
        return next(found, len(LONGEST)), -in_file[item.path], str(item.path)

    for item in items:
        if item.get_closest_marker("stack") and not any(item.path.match(name) for name in APART):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    items.sort(key=turn)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's root."""
    return REPOSITORY
