"""What a dialect may know of a request."""

from __future__ import annotations

from pushgateway_bridge.dialects.dialect import DEFAULT_LIMITS, PushContext, Pusher, PushLimits


def push_context(
    content_type: str,
    received_ms: int,
    pusher: Pusher | None = None,
    path: str = "",
    method: str = "POST",
    time_to_live: str = "",
    limits: PushLimits = DEFAULT_LIMITS,
    country: str = "",
) -> PushContext:
    """The context of a request received at *received_ms* (Unix) with the header *content_type*."""
    media_type = content_type.partition(";")[0].strip().lower()
    return PushContext(received_ms, media_type, pusher, path, method, time_to_live, limits, country)
