"""What pixelTracker's GET shows of a push: the document as sent, but for addresses, and when it was received. Pure."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from pushgateway_bridge.dialects.masking import mask_addresses, mask_text
from pushgateway_bridge.model.timestamps import format_iso8601_ms

Document = dict[str, object]

_encoder = msgspec.json.Encoder()


def masked_entry(document: Document, received_ms: int) -> bytes:
    """*document* as one line of JSON: host names as sent, addresses masked, our time received set last."""
    return _encoder.encode({**_masked(document), "receivedAt": format_iso8601_ms(received_ms)})


def plain_entry(agent: msgspec.Struct, received_ms: int) -> bytes:
    """*agent* as one line of JSON with our time received. It must have a field, and no room for free text."""
    return _encoder.encode(agent)[:-1] + _received(received_ms)


@lru_cache(maxsize=16)
def _received(received_ms: int) -> bytes:
    return f',"receivedAt":"{format_iso8601_ms(received_ms)}"}}'.encode()


def _masked(document: Document) -> Document:
    shown = {mask_text(key): mask_addresses(value) for key, value in document.items()}
    if isinstance(name := document.get("name"), str):
        shown["name"] = name
    source, masked = document.get("source"), shown.get("source")
    if isinstance(source, dict) and isinstance(masked, dict) and isinstance(source.get("hostname"), str):
        masked["hostname"] = source["hostname"]
    return shown
