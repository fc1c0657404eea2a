"""The little of HTTP/1.1 that a load generator must read of answers. Pure."""

from __future__ import annotations

from typing import NamedTuple

HEAD_END = b"\r\n\r\n"
ACCEPTED = b"HTTP/1.1 2"


class Answer(NamedTuple):
    """The status of an answer, and how many bytes it has from its first to its last."""

    status: int
    length: int


def parse_answer(received: bytes) -> Answer | None:
    """The answer that *received* begins with; ``None`` while its head is not whole.

    Raises ValueError if it is not HTTP/1.1, or its length is not said: nothing here reads chunked bodies.
    """
    head, end, _ = received.partition(HEAD_END)
    if not end:
        return None
    status_line, *lines = head.split(b"\r\n")
    version, _, rest = status_line.partition(b" ")
    if version != b"HTTP/1.1":
        raise ValueError(f"expected an answer in HTTP/1.1, got {received[:40]!r}")
    status = int(rest[:3])
    headers = {
        name.strip().lower(): text.strip() for name, _, text in (line.partition(b":") for line in lines)
    }
    if b"content-length" not in headers and status != 204:
        raise ValueError(f"the answer {status} says no Content-Length")
    return Answer(status, len(head) + len(HEAD_END) + int(headers.get(b"content-length", b"0")))
