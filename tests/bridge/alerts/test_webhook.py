from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.alerts.model import (
    MAX_ANNOTATION_CHARACTERS,
    MAX_ANNOTATIONS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    ToldAlert,
)
from pushgateway_bridge.alerts.webhook import decode_webhook
from pushgateway_bridge.errors import MalformedBody
from tests.bridge.alerts.told import LABELS, fingerprint_of, notification, told

NOW_MS = 1_770_000_000_000
START_MS = NOW_MS - 60_000


def decoded(*alerts: dict[str, Any]) -> list[ToldAlert]:
    return decode_webhook(notification(*alerts), NOW_MS)


def test_a_notification_is_its_alerts() -> None:
    annotations = {"summary": "lab-7 is down"}
    fingerprint = fingerprint_of(LABELS)

    assert decoded(told(START_MS), told(START_MS, NOW_MS)) == [
        ToldAlert(fingerprint, START_MS, None, LABELS, annotations),
        ToldAlert(fingerprint, START_MS, NOW_MS, LABELS, annotations),
    ]


def test_a_time_with_nanoseconds_is_that_millisecond() -> None:
    """As Alertmanager writes them, whose zone need not be UTC."""
    alert = told(START_MS) | {"startsAt": "2026-02-02T04:39:00.987654321+02:00"}

    assert decoded(alert)[0].starts_ms == 1_769_999_940_987


def test_the_sign_of_life_is_not_kept() -> None:
    assert decoded(told(START_MS, alertname="Watchdog"), told(START_MS))[0].labels == LABELS


@pytest.mark.parametrize("ends_at", [None, "0001-01-01T00:00:00Z"])
def test_a_resolution_without_a_time_is_now(ends_at: str | None) -> None:
    assert decoded(told(START_MS, NOW_MS) | {"endsAt": ends_at})[0].ends_ms == NOW_MS


def test_nothing_ends_before_it_begins() -> None:
    assert decoded(told(START_MS, START_MS - 5000))[0].ends_ms == START_MS


def test_many_and_long_labels_are_cut_and_the_ones_that_matter_stay() -> None:
    alert = told(START_MS, instance="é" * 5000, **{f"a{number:03}": "x" for number in range(200)})
    alert["annotations"] = {f"a{number}": "y" * 100_000 for number in range(100)}

    kept = decoded(alert)[0]

    assert len(kept.labels) == MAX_LABELS
    assert kept.labels.keys() > LABELS.keys()
    assert kept.labels["instance"] == "é" * (MAX_LABEL_CHARACTERS - 1) + "…"
    assert len(kept.annotations) == MAX_ANNOTATIONS
    assert {len(text) for text in kept.annotations.values()} == {MAX_ANNOTATION_CHARACTERS}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `version`"),
        (b'{"version": "3", "alerts": []}', "Invalid enum value '3' - at `$.version`"),
        (b'{"version": "4", "alerts": {}}', "Expected `array`, got `object` - at `$.alerts`"),
        (b'{"version": "4", "alerts": [{"x": ' + b"[" * 100_000, "maximum recursion depth"),
        (b'{"version": "4", "alerts": [{"labels": {"a": "\xff"}}]}', "utf-8"),
    ],
)
def test_what_is_no_notification_is_refused_with_the_place(body: bytes, complaint: str) -> None:
    with pytest.raises(MalformedBody) as refusal:
        decode_webhook(body, NOW_MS)

    assert str(refusal.value).startswith("no notification of Alertmanager: ")
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "suppressed"),
        ("labels", {"alertname": 1}),
        ("labels", None),
        ("fingerprint", ""),
        ("fingerprint", "../x"),
        ("startsAt", "yesterday"),
        ("startsAt", "2026-02-02T04:39:00"),
        ("startsAt", "0001-01-01T00:00:00Z"),
        ("endsAt", 5),
    ],
)
def test_a_wrong_field_is_refused_with_its_place(field: str, value: object) -> None:
    with pytest.raises(MalformedBody, match=r"at `\$\.alerts\[1\]"):
        decoded(told(START_MS), told(START_MS) | {field: value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.binary()
    | JSON.map(msgspec.json.encode)
    | st.dictionaries(st.sampled_from(list(told(0))), JSON).map(
        lambda odd: notification(told(START_MS) | odd)
    )
)
def test_any_body_is_alerts_or_is_refused(body: bytes) -> None:
    try:
        alerts = decode_webhook(body, NOW_MS)
    except MalformedBody:
        return

    assert all(0 <= alert.starts_ms < 2**53 for alert in alerts)
    assert all(len(alert.labels) <= MAX_LABELS for alert in alerts)
