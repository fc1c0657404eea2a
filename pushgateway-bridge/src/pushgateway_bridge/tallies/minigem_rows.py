"""The recent entries of minigem: what is shown of single events, by keyed hashes instead of ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from pushgateway_bridge.dialects.minigem_event import RUN_COMPLETED, RUN_ERROR, MinigemEvent

MAX_ROWS: Final = 20
"""Of one push."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event. *anon* and *session* are keyed hashes in hex; *t* is Unix milliseconds."""

    anon: str
    evt: str
    t: int
    os: str
    ext: str
    vscode: str
    session: str = ""
    country: str = ""
    duration_ms: int | None = None
    wait_ms: int | None = None
    exit: int | None = None
    """Of a completed run."""
    bucket: str = ""
    interactive: bool = False
    truncated: bool = False
    phase: str = ""
    """Of an error."""
    exception: str = ""
    """Its hash as sent, if it is one, else a keyed hash of what was sent."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Row])
_HASH: Final = re.compile(r"[0-9A-Fa-f]{4,64}")


def row_of(event: MinigemEvent, anon: bytes, session: bytes | None, exception: bytes | None) -> Row:
    """What is shown of *event*, with keyed hashes of its ids."""
    completed = event.evt == RUN_COMPLETED
    shown = event.exception.lower() if _HASH.fullmatch(event.exception) else (exception or b"").hex()
    return Row(
        anon.hex(),
        event.evt,
        event.time_ms,
        event.os,
        event.ext,
        event.vscode,
        "" if session is None else session.hex(),
        event.country,
        event.duration_ms if completed else None,
        event.wait_ms if completed else None,
        event.exit if completed else None,
        event.bucket if completed else "",
        event.interactive and completed,
        event.truncated and completed,
        event.phase if event.evt == RUN_ERROR else "",
        shown,
    )


def encode_rows(rows: Sequence[Row]) -> bytes:
    """The recent entry of a push: one line of JSON."""
    return _encoder.encode(rows)


def decode_rows(entries: Iterable[bytes]) -> Iterator[Row]:
    """The rows of *entries*, in their order. An entry that cannot be read is left out."""
    for entry in entries:
        try:
            rows = _decoder.decode(entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        yield from rows
