"""An answer to a push."""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """What a pusher is told."""

    status: int
    body: bytes
    content_type: str
