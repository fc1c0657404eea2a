"""Bodies as they come over the wire, inflated or refused, without HTTP."""

from __future__ import annotations

import asyncio
import gzip
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushgateway_bridge.errors import BodyTooLarge, MalformedBody, PushRejected, UnsupportedEncoding
from pushgateway_bridge.web.body import IN_THREAD_BYTES, SNAPPY_STREAM, read_body

LIMIT = 200_000
TEXT = b'{"name":"lab-7","cpuC":8} ' * 40
NOISE = random.Random(5).randbytes(2 * IN_THREAD_BYTES)
"""Hardly compressible, so that it is inflated in a thread."""


def snappy_block(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def snappy_framed(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress(data))


FORMS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "snappy block": ("snappy", snappy_block),
    "snappy framed": ("snappy", snappy_framed),
}


class Chunks:
    """A request whose body comes in *chunks*, and how many of them were read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.read = 0

    async def stream(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self.read += 1
            yield chunk


def read(body: bytes, coding: str, limit: int = LIMIT, inflated_limit: int = 0) -> bytes:
    """What *body* is, sent in small chunks. Raises PushRejected."""
    chunks = Chunks(body[start : start + 1000] for start in range(0, len(body), 1000))
    return asyncio.run(read_body(chunks, coding, limit, inflated_limit))


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Whole bodies


@pytest.mark.parametrize("data", [TEXT, NOISE, b"x"], ids=["in the loop", "in a thread", "one byte"])
def test_a_compressed_body_is_inflated(form: str, data: bytes) -> None:
    coding, compress = FORMS[form]

    assert read(compress(data), coding) == data
    assert read(compress(data), f" {coding.upper()} ") == data


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_a_body_without_a_coding_stays_as_it_is(coding: str) -> None:
    assert read(NOISE, coding) == NOISE
    assert read(b"", coding) == b""


@pytest.mark.parametrize("data", [TEXT, NOISE], ids=["in the loop", "in a thread"])
def test_a_body_may_inflate_to_its_limit_and_no_further(form: str, data: bytes) -> None:
    coding, compress = FORMS[form]
    body = compress(data)

    assert read(body, coding, inflated_limit=len(data)) == data
    with pytest.raises(BodyTooLarge, match=f"^the body inflates to more than {len(data) - 1} bytes$"):
        read(body, coding, inflated_limit=len(data) - 1)


def test_a_body_may_be_as_long_as_its_limit_and_no_longer(form: str) -> None:
    coding, compress = FORMS[form]
    body = compress(TEXT)

    assert read(body, coding, len(body), len(TEXT)) == TEXT
    with pytest.raises(BodyTooLarge, match=f"^the body is larger than {len(body) - 1} bytes$"):
        read(body, coding, len(body) - 1, len(TEXT))


def test_without_a_limit_of_its_own_a_body_inflates_to_the_limit_of_any() -> None:
    body = gzip.compress(TEXT)

    assert read(body, "gzip", len(TEXT)) == TEXT
    with pytest.raises(BodyTooLarge):
        read(body, "gzip", len(TEXT) - 1)


def test_no_more_is_read_than_the_limit_and_one_chunk() -> None:
    chunks = Chunks(b" " * 1000 for _ in range(10**6))

    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(chunks, "gzip", 10_000))

    assert chunks.read == 11


def test_nothing_is_read_of_a_body_that_cannot_be_inflated() -> None:
    chunks = Chunks([b"x"])

    for coding in ("br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "\xfc"):
        with pytest.raises(UnsupportedEncoding):
            asyncio.run(read_body(chunks, coding, LIMIT))
    assert chunks.read == 0


# Broken bodies


def test_a_body_that_is_cut_off_is_refused_wherever_that_is(form: str) -> None:
    coding, compress = FORMS[form]
    body = compress(TEXT)

    whole = []
    for end in range(1, len(body)):
        try:
            read(body[:end], coding)
        except MalformedBody:
            continue
        whole.append(body[:end])
    # A framed stream has no end mark: after its first frame, which says what it is, it may be over.
    assert whole == ([SNAPPY_STREAM] if form == "snappy framed" else [])


@pytest.mark.parametrize("data", [TEXT, NOISE], ids=["in the loop", "in a thread"])
@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda body: body[:-9], id="cut off"),
        pytest.param(lambda body: body + b"junk", id="junk behind"),
        pytest.param(lambda body: b"junk" + body, id="junk before"),
    ],
)
def test_a_broken_body_is_refused_in_the_loop_as_in_a_thread(
    form: str, data: bytes, harm: Callable[[bytes], bytes]
) -> None:
    coding, compress = FORMS[form]

    with pytest.raises(MalformedBody):
        read(harm(compress(data)), coding)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_two_streams_one_after_the_other_are_refused(coding: str) -> None:
    _, compress = FORMS[coding]

    with pytest.raises(MalformedBody, match="goes on after its end"):
        read(compress(TEXT) + compress(TEXT), coding)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"", "gzip"),
        (b"", "deflate"),
        (zlib.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), "deflate"),
        (zlib.compress(TEXT)[2:-4], "deflate"),
        (SNAPPY_STREAM + b"sNaPpY" + b"\x02\x01\x00\x00x", "snappy"),
        (b"\x90\x4e" + b"x", "snappy"),
        (gzip.compress(TEXT), "snappy"),
    ],
    ids=[
        "empty gzip",
        "empty deflate",
        "deflate as gzip",
        "gzip as deflate",
        "deflate without its frame",
        "unknown frame",
        "block shorter than it says",
        "gzip as snappy",
    ],
)
def test_what_is_not_of_its_coding_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(MalformedBody):
        read(body, coding)


def test_an_empty_snappy_body_is_empty() -> None:
    assert read(b"", "snappy") == b""
    assert read(snappy_block(b""), "snappy") == b""
    assert read(snappy_framed(b""), "snappy") == b""


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(
    name=st.sampled_from(sorted(FORMS)),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
    limit=st.sampled_from([1, 100, LIMIT]),
)
def test_no_change_to_a_body_makes_anything_but_a_refusal(
    name: str, changes: list[tuple[int, int]], limit: int
) -> None:
    coding, compress = FORMS[name]
    body = bytearray(compress(TEXT))
    for at, byte in changes:
        body[at % len(body)] = byte

    try:
        inflated = read(bytes(body), coding, LIMIT, limit)
    except PushRejected:
        return
    assert len(inflated) <= limit


# Bombs

BOMBS: Mapping[str, tuple[str, bytes]] = {
    "gzip, small": ("gzip", gzip.compress(bytes(8_000_000))),
    "gzip, large": ("gzip", gzip.compress(bytes(50_000_000))),
    "deflate": ("deflate", zlib.compress(bytes(50_000_000), 9)),
    "snappy block, small": ("snappy", snappy_block(bytes(300_000))),
    "snappy block, large": ("snappy", snappy_block(bytes(4_000_000))),
    "snappy framed, small": ("snappy", snappy_framed(bytes(300_000))),
    "snappy framed, large": ("snappy", snappy_framed(bytes(4_000_000))),
    "snappy block that claims 4 GiB": ("snappy", b"\xff\xff\xff\xff\x0f" + b"x" * 100),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_takes_no_more_memory_than_it_may(name: str) -> None:
    coding, bomb = BOMBS[name]
    with pytest.raises(BodyTooLarge):  # once before, so that what is made once does not count
        read(bomb, coding, LIMIT, LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match=f"^the body inflates to more than {LIMIT} bytes$"):
            read(bomb, coding, LIMIT, LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    # The inflated part, the body in chunks, as one and as what is not inflated yet; and what the loop needs.
    assert peak < 2 * LIMIT + 3 * len(bomb) + 300_000


def test_the_bombs_are_bombs() -> None:
    for name in ("gzip, small", "gzip, large", "deflate"):
        assert len(BOMBS[name][1]) * 900 < 8_000_000 * (1 if name == "gzip, small" else 50 / 8)
    assert len(BOMBS["gzip, small"][1]) < IN_THREAD_BYTES < len(BOMBS["gzip, large"][1])


def test_a_bomb_in_a_bomb_is_inflated_once() -> None:
    inner = gzip.compress(bytes(50_000_000))

    assert read(gzip.compress(inner), "gzip") == inner
