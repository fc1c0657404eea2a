# ruff: noqa: D103 - a test's name is its claim
"""The decoder alone: a body in, a report out. It needs no bridge that runs."""

from __future__ import annotations

import pytest
from ups_dialect import CHARGE, DIALECT, NO_LABELS, ON_BATTERY, OUTAGE_SECONDS, OUTAGES, decode

from pushgateway_bridge.plugin_api import (
    GroupReport,
    Increment,
    MalformedBody,
    Observation,
    PushContext,
    make_push_group,
)

CONTEXT = PushContext(received_ms=1_769_932_800_000)


def test_a_report_becomes_series_in_base_units_and_counts() -> None:
    body = b"""{"host": "rack-3", "ups": "apc-1500", "status": "OB", "charge_percent": 83, "time": 1769932799.5,
        "outages": [{"cause": "line", "seconds": 12.5}, {"cause": "a squirrel", "seconds": 2}], "new": 1}"""

    report = decode(body, CONTEXT)

    assert report.accepted == 1
    assert report.groups == (
        GroupReport(
            make_push_group("ups", "rack-3", (("ups", "apc-1500"),)),
            shape=((CHARGE, NO_LABELS), (ON_BATTERY, NO_LABELS)),
            values=[0.83, 1.0],
            timestamp_ms=1_769_932_799_500,
            increments=[
                Increment(OUTAGES, (("cause", "line"),), 1.0),
                Increment(OUTAGES, (("cause", "other"),), 1.0),
            ],
            observations=[
                Observation(OUTAGE_SECONDS, NO_LABELS, 12.5),
                Observation(OUTAGE_SECONDS, NO_LABELS, 2.0),
            ],
        ),
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "truncated"),
        (b'{"host": "\xff"}', "invalid"),
        (b'{"ups": "a", "status": "OL"}', "`host`"),
        (b'{"host": "", "ups": "a", "status": "OL"}', "must not be empty"),
        (b'{"host": "h", "ups": "a", "status": "??"}', "Invalid enum value"),
        (b'{"host": "h", "ups": "a", "status": "OL", "charge_percent": "full"}', "Expected `float"),
        (b'{"host": "h", "ups": "a", "status": "OL", "time": 1e308}', "out of range"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(body: bytes, told: str) -> None:
    with pytest.raises(MalformedBody, match=told):
        decode(body, CONTEXT)


def test_the_example_is_accepted() -> None:
    assert DIALECT.example is not None
    assert decode(DIALECT.example[1].encode(), CONTEXT).accepted == 1
