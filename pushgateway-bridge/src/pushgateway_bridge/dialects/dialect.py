"""What a dialect is: paths, limits, how to decode, and the replies its clients know."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Report


class PushContext(msgspec.Struct, frozen=True, gc=False):
    """What a dialect may know of a request besides its body."""

    received_ms: int
    content_type: str = ""
    """The media type, lower-cased, without parameters; empty if the client sent none."""


class Reply(msgspec.Struct, frozen=True):
    """What a pusher is told."""

    status: int
    body: bytes
    content_type: str


class Dialect(msgspec.Struct, frozen=True):
    """One family of clients. ``decode`` and ``refuse`` are pure."""

    name: str
    paths: tuple[str, ...]
    """Where its clients POST, at the root and below the dialect's prefix."""
    max_body_bytes: int
    series_class: SeriesClass
    default_interval_seconds: float | None
    """Taken for a source's report interval until it has been learned; ``None`` if its clients report events."""
    decode: Callable[[bytes, PushContext], Report]
    """Raises a PushRejected for a body that cannot be read."""
    accepted: Reply
    refuse: Callable[[PushRejected], Reply]
    """How this dialect's clients are told of a refusal."""
