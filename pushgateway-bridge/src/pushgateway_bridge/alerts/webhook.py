"""What Alertmanager posts: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import msgspec

from pushgateway_bridge.alerts.model import ToldAlert, cut_annotations, cut_labels
from pushgateway_bridge.errors import MalformedBody

NOT_KEPT: Final = frozenset({"Watchdog"})
"""Alerts that say nothing by firing."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Alert(msgspec.Struct, frozen=True, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: Moment
    fingerprint: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,64}$")]
    annotations: dict[str, str] | None = None
    ends_at: Moment | None = None
    """Year 1 while it fires."""


class _Message(msgspec.Struct, frozen=True):
    version: Literal["4"]
    alerts: list[_Alert]


_decoder = msgspec.json.Decoder(_Message)


def decode_webhook(body: bytes, received_ms: int) -> list[ToldAlert]:
    """The alerts of one notification that are to be kept, in its order. Raises MalformedBody."""
    try:
        message = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"no notification of Alertmanager: {error}") from error
    return [
        _told(alert, index, received_ms)
        for index, alert in enumerate(message.alerts)
        if alert.labels.get("alertname") not in NOT_KEPT
    ]


def _told(alert: _Alert, index: int, received_ms: int) -> ToldAlert:
    starts_ms = _unix_ms(alert.starts_at)
    if starts_ms < 0:
        raise MalformedBody(
            f"no notification of Alertmanager: startsAt is before 1970 - at `$.alerts[{index}]`"
        )
    ends_ms = None
    if alert.status == "resolved":
        told_ms = received_ms if alert.ends_at is None else _unix_ms(alert.ends_at)
        ends_ms = max(starts_ms, told_ms if told_ms > 0 else received_ms)
    return ToldAlert(
        alert.fingerprint,
        starts_ms,
        ends_ms,
        cut_labels(alert.labels),
        cut_annotations(alert.annotations or {}),
    )


def _unix_ms(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
