"""Alerts as Alertmanager tells them, and a history on a clock that the test moves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from pushgateway_bridge.alerts.firing import FiringAlert
from pushgateway_bridge.alerts.history import AlertHistory, Compared, HistoryLimits
from pushgateway_bridge.alerts.query import Entry, deletion, page_query, rfc3339
from pushgateway_bridge.alerts.webhook import decode_webhook
from tests.bridge.harness import FakeClock

T = TypeVar("T")
NOT_ENDED = "0001-01-01T00:00:00Z"
"""What Alertmanager writes where there is no time."""
LABELS = {"alertname": "HostDown", "job": "node", "instance": "lab-7", "severity": "critical"}


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """The same for the same labels, as Alertmanager's is."""
    return hashlib.sha256(msgspec.json.encode(sorted(labels.items()))).hexdigest()[:16]


def told(starts_ms: int, ends_ms: int | None = None, /, **labels: str) -> dict[str, Any]:
    """One alert of a notification: LABELS with others of *labels*; it fires unless it has an end."""
    named = LABELS | labels
    return {
        "status": "firing" if ends_ms is None else "resolved",
        "labels": named,
        "annotations": {"summary": f"{named['instance']} is down"},
        "startsAt": rfc3339(starts_ms),
        "endsAt": NOT_ENDED if ends_ms is None else rfc3339(ends_ms),
        "generatorURL": "http://prometheus/graph?g0.expr=up",
        "fingerprint": fingerprint_of(named),
    }


def notification(*alerts: dict[str, Any]) -> bytes:
    """The body that Alertmanager posts."""
    return msgspec.json.encode(
        {
            "version": "4",
            "groupKey": '{}/{alertname="HostDown"}',
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "history",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager",
            "alerts": alerts,
        }
    )


class Kept:
    """A history in a folder of its own; entered as often as one likes."""

    def __init__(self, directory: Path, max_entries: int = 1000, max_age_seconds: float = 86400.0) -> None:
        self.clock = FakeClock()
        self.history = AlertHistory(directory, self.clock.now_ms, HistoryLimits(max_entries, max_age_seconds))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Kept:
        self.run(self.history.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.history.close()
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def tell(self, *alerts: dict[str, Any]) -> None:
        """Have a notification of *alerts* kept. Raises PushRejected."""
        self.run(self.history.record(decode_webhook(notification(*alerts), self.clock.now_ms())))

    def compare(self, *active: tuple[Mapping[str, str], int], after_seconds: float = 300.0) -> Compared:
        """Compare with a Prometheus in which alerts fire: labels, and since when."""
        firing = [FiringAlert(labels, active_ms) for labels, active_ms in active]
        return self.run(self.history.compare(firing, after_seconds))

    def delete(self, **parameters: str) -> int:
        return self.run(self.history.delete(deletion(parameters.items())))

    def entries(self, **parameters: str) -> list[Entry]:
        """What a GET with *parameters* shows; ``from_`` is the parameter from."""
        named = {name.rstrip("_").replace("__", "."): value for name, value in parameters.items()}
        return self.run(self.history.page(page_query(named.items(), self.clock.now_ms()))).alerts

    def ends(self, **parameters: str) -> list[tuple[str, str | None, str | None]]:
        """Of each entry, the oldest first: when it began, when it ended, and who said so."""
        found = self.entries(sort="starts_at", **parameters)
        return [(entry.starts_at, entry.ends_at, entry.closed_by) for entry in found]
