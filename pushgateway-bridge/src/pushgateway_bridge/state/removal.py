"""What a record removes ↔ bytes, for remotes that have not sent what stands before it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pushgateway_bridge.model.change import GroupDefinition, SeriesDefinition
from pushgateway_bridge.state.series import Series


class Removal(msgspec.Struct, frozen=True, array_like=True):
    """Series of one push group."""

    group: GroupDefinition
    definitions: list[SeriesDefinition]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Removal)


def encode_removal(group: GroupDefinition, series: Iterable[Series]) -> bytes:
    """What numbers meant until now."""
    return _encoder.encode(Removal(group, [one.definition() for one in series]))


def decode_removal(body: bytes) -> Removal:
    """Raises ValueError."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
