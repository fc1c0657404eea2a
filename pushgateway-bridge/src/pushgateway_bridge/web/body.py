"""Reads and inflates a request's body, both under a limit."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final, Protocol

import cramjam

from pushgateway_bridge.errors import BodyTooLarge, MalformedBody, UnsupportedEncoding

WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib must be told to read each content coding: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1"""
SNAPPY: Final = "snappy"
SNAPPY_STREAM: Final = b"\xff\x06\x00\x00sNaPpY"
"""How the framed format begins: https://github.com/google/snappy/blob/main/framing_format.txt"""
CODINGS: Final = ("gzip", "deflate", "snappy")
IN_THREAD_BYTES: Final = 16_384
"""From which size a compressed body is inflated in a thread: it may become a thousand times as long."""


class BodySource(Protocol):
    """What is needed of a request."""

    def stream(self) -> AsyncIterator[bytes]: ...


async def read_body(request: BodySource, encoding: str, max_bytes: int, max_inflated_bytes: int = 0) -> bytes:
    """The whole body, inflated if *encoding* (Content-Encoding) says so.

    Raises BodyTooLarge if it is over *max_bytes*, or inflated over *max_inflated_bytes* (0: the same);
    UnsupportedEncoding; MalformedBody if it does not inflate.
    """
    coding = encoding.strip().lower()
    if coding not in ("", "identity", SNAPPY, *WINDOW_BITS):
        raise UnsupportedEncoding(
            f"cannot inflate content encoding {coding!r}: send {', '.join(CODINGS)} or none"
        )
    chunks: list[bytes] = []
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > max_bytes:
            raise BodyTooLarge(f"the body is larger than {max_bytes} bytes")
        chunks.append(chunk)
    body = b"".join(chunks)
    if coding in ("", "identity"):
        return body
    limit = max_inflated_bytes or max_bytes
    if len(body) < IN_THREAD_BYTES:
        return _decoded(body, coding, limit)
    return await asyncio.to_thread(_decoded, body, coding, limit)


def _decoded(body: bytes, coding: str, max_bytes: int) -> bytes:
    if coding == SNAPPY:
        return uncompress_snappy(body, max_bytes)
    return inflate(body, WINDOW_BITS[coding], max_bytes)


def inflate(body: bytes, window_bits: int, max_bytes: int) -> bytes:
    """*body* inflated; never makes more than *max_bytes* + 1 bytes of it."""
    decompressor = zlib.decompressobj(window_bits)
    try:
        inflated = decompressor.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedBody(f"the body does not inflate: {error}") from error
    if len(inflated) > max_bytes:
        raise BodyTooLarge(f"the body inflates to more than {max_bytes} bytes")
    if not decompressor.eof:
        raise MalformedBody("the compressed body is cut off")
    if decompressor.unused_data:
        raise MalformedBody("the compressed body goes on after its end")
    return inflated


def uncompress_snappy(body: bytes, max_bytes: int) -> bytes:
    """*body* uncompressed: snappy's framed format, as Pushgateway's clients send it, or one bare block.

    Never makes more than *max_bytes* + 1 bytes of it.
    """
    if not body:
        return body
    try:
        if not body.startswith(SNAPPY_STREAM):
            if cramjam.snappy.decompress_raw_len(body) > max_bytes:
                raise BodyTooLarge(f"the body inflates to more than {max_bytes} bytes")
            return bytes(cramjam.snappy.decompress_raw(body))
        # Room for one byte more than is allowed. No snappy becomes more than 22 times as long.
        room = bytearray(min(max_bytes + 1, 32 * len(body) + 64))
        length = cramjam.snappy.decompress_into(body, room)
    except cramjam.DecompressionError as error:
        if "write whole buffer" in str(error):
            raise BodyTooLarge(f"the body inflates to more than {max_bytes} bytes") from error
        raise MalformedBody(f"the body is no snappy: {error}") from error
    if length > max_bytes:
        raise BodyTooLarge(f"the body inflates to more than {max_bytes} bytes")
    return bytes(memoryview(room)[:length])
