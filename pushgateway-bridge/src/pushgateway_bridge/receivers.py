"""Tests of Alertmanager's receivers: the routes that lead to one alone, the alerts, and what its metrics say of them.

Pure: ``cli_alert`` asks Alertmanager.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple

import yaml
from prometheus_client.parser import text_string_to_metric_families

LABEL: Final = "receiver_test"
"""The label that leads an alert to the receiver it names, and nowhere else."""
TEST_ID: Final = "test_id"
ALERT_NAME: Final = "ReceiverTest"
LEFT_OUT: Final = ("heartbeat", "history")
"""Receivers that machines read; they are tested only if they are named."""
GROUP_SECONDS: Final = 5

REQUESTS: Final = "alertmanager_notification_requests"
REFUSED: Final = "alertmanager_notification_requests_failed"
FAILED: Final = "alertmanager_notifications_failed"

Key = tuple[str, str]
"""Receiver and integration. The receiver is empty where Alertmanager's metrics do not tell."""


def with_test_routes(document: object) -> object:
    """Alertmanager's configuration with a route for each of its receivers ahead of all others; anything else as it is.

    They end there, so that no test reaches the history or another receiver.
    """
    if not isinstance(document, dict) or not isinstance(document.get("route"), dict):
        return document
    names = [
        one["name"] for one in document.get("receivers") or () if isinstance(one, dict) and "name" in one
    ]
    route = document["route"]
    return {**document, "route": {**route, "routes": [*map(_route, names), *(route.get("routes") or ())]}}


def _route(receiver: str) -> dict[str, object]:
    return {
        "receiver": receiver,
        "matchers": [_matcher(receiver)],
        "group_by": ["alertname", LABEL, TEST_ID],
        "group_wait": "0s",
        # A way that fails is tried anew for ten seconds, Alertmanager's least, before it counts as failed.
        "group_interval": f"{GROUP_SECONDS}s",
    }


def _matcher(receiver: str) -> str:
    return f"{LABEL}={json.dumps(str(receiver), ensure_ascii=False)}"


class Receivers(NamedTuple):
    """What a running Alertmanager's configuration says."""

    integrations: Mapping[str, Mapping[str, int]]
    """Receiver → integration, such as ``email`` → how many of it."""
    tested: frozenset[str]
    """Receivers that a test route leads to."""


def parse_receivers(configuration: str) -> Receivers:
    """From the text of ``/api/v2/status``. Raises ValueError if it is none."""
    try:
        document = yaml.safe_load(configuration)
        routes = document["route"].get("routes") or ()
        integrations = {one["name"]: dict(_integrations(one)) for one in document["receivers"]}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise ValueError("it shows no configuration that can be read") from error
    matchers = {matcher for route in routes for matcher in route.get("matchers") or ()}
    return Receivers(integrations, frozenset(name for name in integrations if _matcher(name) in matchers))


def _integrations(receiver: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, entries in receiver.items():
        if key.endswith("_configs") and entries:
            yield key.removesuffix("_configs"), len(entries)


def alerts_for(
    receivers: Iterable[str], test_id: str, begin: datetime, end: datetime
) -> list[dict[str, object]]:
    """One alert a receiver, for Alertmanager's API v2. One that is not resolved ends by itself at *end*."""
    return [
        {
            "labels": {"alertname": ALERT_NAME, "severity": "none", LABEL: name, TEST_ID: test_id},
            "annotations": {
                "summary": f"This is a test of the receiver {name}: nothing is wrong",
                "description": "Somebody ran `pushgateway-bridge alert test`. Whoever reads this is told of alerts.",
                "runbook": "docs/notifications.md",
                "dashboard": "/",
            },
            "startsAt": begin.isoformat(),
            "endsAt": end.isoformat(),
        }
        for name in receivers
    ]


class Counts(NamedTuple):
    """What Alertmanager has counted of one integration."""

    requests: float = 0.0
    refused: float = 0.0
    """Requests that failed, whether they were made again or not."""
    failed: Mapping[str, float] = {}
    """Reason → notifications that were given up; the reason is empty where it is not told."""


def parse_counts(exposition: str) -> dict[Key, Counts]:
    """What Alertmanager's ``/metrics`` says. Raises ValueError if it is no exposition."""
    counts: dict[Key, Counts] = {}
    for family in text_string_to_metric_families(exposition):
        if family.name not in (REQUESTS, REFUSED, FAILED):
            continue
        for sample in family.samples:
            key = (sample.labels.get("receiver_name", ""), sample.labels["integration"])
            before = counts.get(key, Counts())
            if family.name == REQUESTS:
                counts[key] = before._replace(requests=sample.value)
            elif family.name == REFUSED:
                counts[key] = before._replace(refused=sample.value)
            else:
                reason = sample.labels.get("reason", "")
                counts[key] = before._replace(failed={**before.failed, reason: sample.value})
    return counts


def tells_receivers(counts: Mapping[Key, Counts]) -> bool:
    """Whether the metrics say which receiver they are about: feature ``receiver-name-in-metrics``."""
    return any(receiver for receiver, _ in counts)


class Result(Enum):
    """What became of a test."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOTHING = "no integration configured"


class Row(NamedTuple):
    """A line of the answer."""

    receiver: str
    integration: str
    result: Result
    detail: str = ""


def judge(before: Counts, now: Counts, number: int) -> tuple[Result, str]:
    """What the *number* integrations of one kind made of a test, as far as it can be known yet."""
    requests, refused = now.requests - before.requests, now.refused - before.refused
    reasons = [reason for reason, count in now.failed.items() if count > before.failed.get(reason, 0.0)]
    if reasons:
        told = " ".join(filter(None, ["given up", f"({reasons[0]})" if reasons[0] else ""]))
        return Result.FAILED, f"{told} after {_times(refused)}"
    if requests - refused >= number:
        return Result.OK, ""
    if refused:
        return Result.UNKNOWN, f"{_times(refused)} failed, and it goes on trying"
    return Result.UNKNOWN, ""


def _times(number: float) -> str:
    return "1 attempt" if number == 1 else f"{number:.0f} attempts"


def exit_code(rows: Sequence[Row]) -> int:
    """0 if something is configured and all of it is ok."""
    configured = [row.result for row in rows if row.result is not Result.NOTHING]
    return 0 if configured and set(configured) == {Result.OK} else 1


def table(rows: Sequence[Row]) -> Iterator[str]:
    """*rows* for people, with aligned columns."""
    lines = [("RECEIVER", "INTEGRATION", "RESULT")]
    for row in rows:
        result = f"{row.result.value}: {row.detail}" if row.detail else row.result.value
        lines.append((row.receiver, row.integration or "-", result))
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for receiver, integration, result in lines:
        yield f"{receiver:<{widths[0]}}  {integration:<{widths[1]}}  {result}"
