"""An alert as it is told and kept, and why it may not be kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pushgateway_bridge.errors import (
    BodyTooLarge,
    Forbidden,
    MalformedBody,
    MissingToken,
    NotReady,
    PushRejected,
    UnsupportedEncoding,
    WrongToken,
)

MAX_LABELS: Final = 64
MAX_NAME_CHARACTERS: Final = 128
MAX_LABEL_CHARACTERS: Final = 512
MAX_ANNOTATIONS: Final = 16
MAX_ANNOTATION_CHARACTERS: Final = 1024
CUT: Final = "…"
"""Ends a text that was longer."""
FIRST_LABELS: Final = ("alertname", "severity", "job", "instance")
"""They are kept however many others there are."""


class ToldAlert(NamedTuple):
    """One alert of a notification. Times are Unix milliseconds; labels and annotations are cut."""

    fingerprint: str
    """Alertmanager's hash of the labels: the same alert has the same one, whoever tells of it."""
    starts_ms: int
    ends_ms: int | None
    """``None`` while it fires."""
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def status(self) -> str:
        """``firing`` or ``resolved``"""
        return "firing" if self.ends_ms is None else "resolved"


def cut_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """*labels* as they are kept: sorted, no more and no longer than they may be."""
    names = [name for name in FIRST_LABELS if name in labels]
    names += sorted(labels.keys() - names)
    return {
        cut(name, MAX_NAME_CHARACTERS): cut(labels[name], MAX_LABEL_CHARACTERS)
        for name in sorted(names[:MAX_LABELS])
    }


def cut_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """*annotations* as they are kept."""
    return {
        cut(name, MAX_NAME_CHARACTERS): cut(annotations[name], MAX_ANNOTATION_CHARACTERS)
        for name in sorted(annotations)[:MAX_ANNOTATIONS]
    }


def cut(text: str, characters: int) -> str:
    """*text*, or its begin and an ellipsis if it has more *characters*."""
    return text if len(text) <= characters else text[: characters - len(CUT)] + CUT


class HistoryFull(PushRejected):
    """The disk has no room for the notification. Alertmanager sends it again."""

    status = 503
    retry_after_seconds = 1
    reason = "disk_full"


class HistoryUnavailable(PushRejected):
    """The history's file cannot be read or written. Alertmanager sends the notification again."""

    status = 503
    retry_after_seconds = 1
    reason = "unavailable"


FAILURES: Final[tuple[type[PushRejected], ...]] = (
    MissingToken,
    WrongToken,
    Forbidden,
    MalformedBody,
    BodyTooLarge,
    UnsupportedEncoding,
    NotReady,
    HistoryFull,
    HistoryUnavailable,
)
"""Why a notification may not be kept, so that their counters exist from the start."""
