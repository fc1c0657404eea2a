"""What the bridge and the process that ships tell each other: messages behind their length, over pipes."""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from pushgateway_bridge.config import RemoteConfig

LENGTH: Final = struct.Struct("<I")


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """The first message: what is to be shipped, and where to."""

    journal: str
    log_level: str
    version: str
    remotes: list[RemoteConfig]
    cursors: dict[str, int]
    external_labels: dict[str, str]


class Wake(msgspec.Struct, frozen=True, tag="wake"):
    """There is something new in the journal."""


class Skip(msgspec.Struct, frozen=True, tag="skip"):
    """What *remote* has not sent up to *position* is not to be sent any more: its queue was too long."""

    remote: str
    position: int


ToShipper = Setup | Wake | Skip


class Progress(msgspec.Struct, frozen=True):
    """How far a remote is. Counts are since the process started."""

    remote: str
    position: int
    """All up to here was sent, or dropped and counted."""
    sent: int
    retried: int
    """Samples in requests that had to be sent again."""
    dropped: dict[str, int]
    requests: dict[str, int]
    """By outcome."""
    waiting: str
    """Why the last request has to be sent again, empty if it was taken."""


encode = msgspec.msgpack.Encoder().encode
decode_to_shipper: msgspec.msgpack.Decoder[ToShipper] = msgspec.msgpack.Decoder(ToShipper)
decode_progress = msgspec.msgpack.Decoder(Progress)


def framed(message: ToShipper | Progress) -> bytes:
    """*message* behind its length."""
    body = encode(message)
    return LENGTH.pack(len(body)) + body
