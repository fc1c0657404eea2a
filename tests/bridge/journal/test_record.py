from __future__ import annotations

import pytest

from pushgateway_bridge.journal.record import (
    CorruptRecord,
    decode_change,
    encode_change,
    pack_frame,
    unpack_frame,
)
from pushgateway_bridge.model.change import (
    Change,
    Deletion,
    Expiry,
    GroupChange,
    GroupDefinition,
    Push,
    SeriesDefinition,
)
from pushgateway_bridge.model.family import SeriesClass

GROUP = (("job", "a"), ("instance", "b"))
FIRST_PUSH = Push(
    1_770_000_000_000,
    [
        GroupChange(
            3,
            1_770_000_000_001,
            1,
            (1,),
            [0.5],
            [SeriesDefinition(1, "up", (("kind", "x"),), SeriesClass.POINT)],
            GroupDefinition(GROUP, "pixeltracker", 1_770_000_000_000),
        )
    ],
)
DELETION = Deletion(1_770_000_000_000, [3, 4])
EXPIRY = Expiry(1_770_000_000_000, [(3, [1, 2])], [4])


@pytest.mark.parametrize("change", [FIRST_PUSH, EXPIRY, DELETION], ids=["push", "expiry", "deletion"])
def test_a_change_reads_back_as_it_was(change: Change) -> None:
    assert decode_change(encode_change(change)) == change


def test_a_frame_gives_its_records_back_in_order() -> None:
    records = [b"one", b"", b"three" * 1000]

    assert [bytes(record) for record in unpack_frame(pack_frame(records))] == records


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "version 1"),
        (b"\x02\x00\x00\x00\x00", "version 1"),
        (pack_frame([b"abc"])[:-1], "inside a record"),
        (pack_frame([b"abc"]) + b"\x01", "inside a length"),
    ],
    ids=["empty", "other version", "torn record", "torn length"],
)
def test_a_torn_frame_is_told(body: bytes, message: str) -> None:
    with pytest.raises(CorruptRecord, match=message):
        list(unpack_frame(body))


def test_bytes_that_are_no_change_are_told() -> None:
    with pytest.raises(CorruptRecord):
        decode_change(b"\x93\x01\x02\x03")
