"""What fires according to Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

import httpx2
import msgspec

from pushgateway_bridge.alerts.model import cut_labels

QUERY: Final = 'ALERTS_FOR_STATE and ignoring(alertstate) ALERTS{alertstate="firing"}'
"""The labels of every alert that fires, with the Unix time since when its condition holds without a break."""


class FiringAlert(NamedTuple):
    """An alert as Prometheus has it."""

    labels: Mapping[str, str]
    """Cut, as those of the history are."""
    active_ms: int
    """Unix time since when its condition holds."""


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(msgspec.Struct, frozen=True, rename={"kind": "resultType"}):
    kind: Literal["vector"]
    result: list[_Series]


class _Answer(msgspec.Struct, frozen=True):
    status: Literal["success"]
    data: _Vector


class NoAnswer(Exception):
    """Prometheus did not say what fires."""


async def ask(client: httpx2.AsyncClient) -> bytes:
    """Prometheus' answer to QUERY. Raises NoAnswer."""
    try:
        answer = await client.get("/api/v1/query", params={"query": QUERY})
    except httpx2.HTTPError as error:
        raise NoAnswer(f"{type(error).__name__} {error}".strip()) from error
    if answer.status_code != 200:
        raise NoAnswer(f"status {answer.status_code}")
    return answer.content


def decode(answer: bytes) -> list[FiringAlert]:
    """The alerts in Prometheus' *answer*. Raises NoAnswer if that is none."""
    try:
        series = msgspec.json.decode(answer, type=_Answer).data.result
        return [
            FiringAlert(
                cut_labels({name: value for name, value in one.metric.items() if name != "__name__"}),
                round(float(one.value[1]) * 1000),
            )
            for one in series
        ]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError, RecursionError) as error:
        raise NoAnswer(f"not the form of an answer: {error}") from error


class FiringAlerts:
    """Finds an alert of the history among those that fire.

    Alertmanager's labels may be more than Prometheus' (external labels are added on the way) or fewer (relabelling
    drops some), so one set must be part of the other.
    """

    def __init__(self, alerts: Iterable[FiringAlert]) -> None:
        by_names: dict[str, dict[tuple[str, ...], list[FiringAlert]]] = defaultdict(lambda: defaultdict(list))
        self.oldest_ms: dict[str, int] = {}
        """Name → since when the oldest alert of that name is active."""
        for alert in alerts:
            name = alert.labels.get("alertname", "")
            by_names[name][tuple(sorted(alert.labels))].append(alert)
            self.oldest_ms[name] = min(self.oldest_ms.get(name, alert.active_ms), alert.active_ms)
        self._by_names = by_names
        self._seen_as: dict[tuple[str, tuple[str, ...], tuple[str, ...]], dict[tuple[str, ...], int]] = {}

    def active_ms(self, labels: Mapping[str, str]) -> int | None:
        """Since when the alert with *labels* is active; ``None`` if it does not fire."""
        alertname = labels.get("alertname", "")
        own = labels.keys()
        found: list[int] = []
        for names in self._by_names.get(alertname, ()):
            if own >= set(names):
                shared = names
            elif own <= set(names):
                shared = tuple(sorted(own))
            else:
                continue
            active = self._projected(alertname, names, shared).get(tuple(labels[name] for name in shared))
            if active is not None:
                found.append(active)
        return min(found, default=None)

    def _projected(
        self, alertname: str, names: tuple[str, ...], shared: tuple[str, ...]
    ) -> dict[tuple[str, ...], int]:
        """Of the alerts with labels *names*: values of *shared* → since when active."""
        key = (alertname, names, shared)
        if key not in self._seen_as:
            active: dict[tuple[str, ...], int] = {}
            for alert in self._by_names[alertname][names]:
                values = tuple(alert.labels[name] for name in shared)
                active[values] = min(active.get(values, alert.active_ms), alert.active_ms)
            self._seen_as[key] = active
        return self._seen_as[key]
