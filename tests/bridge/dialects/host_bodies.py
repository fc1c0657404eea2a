"""What the tests of StatusMonitor and statix share: bodies as no agent sends them, and what must hold of any report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from pushgateway_bridge.dialects import statix
from pushgateway_bridge.dialects.dialect import Dialect, PushContext
from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.report import Report
from tests.bridge.dialects.test_pixeltracker import NUMBERS, TEXTS, VALUES, assert_prometheus_can_hold

MAX_LABEL_BYTES: Final = 1024
BYTES: Final = st.binary(max_size=200) | TEXTS.map(str.encode)


def forget_statix() -> None:
    """Have statix know nothing of its hosts: what it shows of those that it knows is written as they sent it."""
    statix._host.cache_clear()
    statix._known.forget()


def near_misses(
    keys: st.SearchStrategy[str], values: st.SearchStrategy[object] | None = None
) -> st.SearchStrategy[object]:
    """Documents with the *keys* that agents use, and with *values* where they do not belong."""
    leaves = VALUES | NUMBERS
    return st.recursive(
        leaves if values is None else leaves | values,
        lambda inner: st.dictionaries(keys, inner, max_size=6) | st.lists(inner, max_size=4),
        max_leaves=12,
    )


def torn_bodies(files: list[Path]) -> st.SearchStrategy[bytes]:
    """The bodies in *files* with a piece of each missing or replaced."""

    def tear(file: Path, start: int, length: int, instead: bytes) -> bytes:
        body = file.read_bytes()
        start %= len(body) + 1
        return body[:start] + instead + body[start + length % 40 :]

    lengths = st.integers(min_value=0)
    return st.builds(tear, st.sampled_from(files), lengths, lengths, st.binary(max_size=4))


def assert_taken_or_refused(
    dialect: Dialect, body: bytes, context: PushContext, check: Callable[[Report], None]
) -> None:
    """A refusal is one of ours; *check* looks at what was taken."""
    try:
        report = dialect.decode(body, context)
    except PushRejected:
        return
    check(report)


def assert_labels_are_bounded(report: Report) -> None:
    """Prometheus can hold it, and no label of it is longer than one may be."""
    assert_prometheus_can_hold(report)
    for group in report.groups:
        for _, labels in group.shape:
            assert all(len(value.encode()) <= MAX_LABEL_BYTES for _, value in labels)


def assert_outcome(body: Path, outcome: str, *, update: bool) -> None:
    """*outcome* is what the file beside *body* says, or becomes it."""
    expected = body.with_suffix(".prom")
    if update:
        expected.write_text(outcome)

    assert outcome == expected.read_text()


def assert_pairs(cases: Path) -> None:
    """Each case has a body and an outcome."""
    stems = {file.stem for file in cases.glob("*.json")}

    assert stems
    assert stems == {file.stem for file in cases.glob("*.prom")}
