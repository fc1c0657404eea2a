"""Reads and inflates a request's body, both under a limit."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final, Protocol

from pushgateway_bridge.errors import BodyTooLarge, MalformedBody, UnsupportedEncoding

WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""What zlib must be told to read each content coding: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1"""


class BodySource(Protocol):
    """What is needed of a request."""

    def stream(self) -> AsyncIterator[bytes]: ...


async def read_body(request: BodySource, encoding: str, max_bytes: int) -> bytes:
    """The whole body, inflated if *encoding* (Content-Encoding) says so.

    Raises BodyTooLarge if it is over *max_bytes*, compressed or inflated; UnsupportedEncoding; MalformedBody if
    it does not inflate.
    """
    coding = encoding.strip().lower()
    if coding not in ("", "identity", *WINDOW_BITS):
        raise UnsupportedEncoding(f"cannot inflate content encoding {coding!r}: send gzip, deflate or none")
    chunks: list[bytes] = []
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > max_bytes:
            raise BodyTooLarge(f"the body is larger than {max_bytes} bytes")
        chunks.append(chunk)
    body = b"".join(chunks)
    return inflate(body, WINDOW_BITS[coding], max_bytes) if coding in WINDOW_BITS else body


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
