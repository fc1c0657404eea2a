"""What a dialect may know of a request."""

from __future__ import annotations

from pushgateway_bridge.dialects.dialect import PushContext, Pusher


def push_context(
    content_type: str, received_ms: int, pusher: Pusher | None = None, path: str = "", method: str = "POST"
) -> PushContext:
    """The context of a request received at *received_ms* (Unix) with the header *content_type*."""
    return PushContext(received_ms, content_type.partition(";")[0].strip().lower(), pusher, path, method)
