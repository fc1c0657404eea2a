"""The little of HTTP/1.1 that a load generator and a scraper must read of answers. Pure."""

from __future__ import annotations

from typing import NamedTuple

HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
ACCEPTED = b"HTTP/1.1 2"


class Head(NamedTuple):
    """What an answer says before its body."""

    status: int
    headers: dict[bytes, bytes]
    """By lower-case name."""
    length: int
    """How many bytes it has itself, up to the body's first."""

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks, each with its length before it."""
        return self.headers.get(b"transfer-encoding", b"").lower() == b"chunked"


class Answer(NamedTuple):
    """The status of an answer, and how many bytes it has from its first to its last."""

    status: int
    length: int


def parse_head(received: bytes | bytearray) -> Head | None:
    """The head of the answer that *received* begins with; ``None`` while it is not whole.

    Raises ValueError if it is not HTTP/1.1.
    """
    head, end, _ = received.partition(HEAD_END)
    if not end:
        return None
    status_line, *lines = bytes(head).split(b"\r\n")
    version, _, rest = status_line.partition(b" ")
    if version != b"HTTP/1.1":
        raise ValueError(f"expected an answer in HTTP/1.1, got {bytes(received[:40])!r}")
    headers = {
        name.strip().lower(): text.strip() for name, _, text in (line.partition(b":") for line in lines)
    }
    return Head(int(rest[:3]), headers, len(head) + len(HEAD_END))


def parse_answer(received: bytes) -> Answer | None:
    """The answer that *received* begins with; ``None`` while its head is not whole.

    Raises ValueError if it is not HTTP/1.1, or its length is not said.
    """
    head = parse_head(received)
    return None if head is None else Answer(head.status, _length(head))


def is_whole(head: Head, received: bytes | bytearray) -> bool:
    """Whether *received*, which begins with *head* and is one answer, has all of it.

    Raises ValueError if the head does not say how that is known.
    """
    if head.chunked:
        return received.endswith(LAST_CHUNK, head.length)
    return len(received) >= _length(head)


def body_of(head: Head, received: bytes | bytearray) -> bytes:
    """The body of a whole answer. Raises ValueError if it has other bytes than were said."""
    if not head.chunked:
        if len(received) != _length(head):
            raise ValueError(f"expected an answer of {_length(head)} bytes, got {len(received)}")
        return bytes(received[head.length :])
    chunks: list[bytes] = []
    at = head.length
    while True:
        line_end = received.index(b"\r\n", at)
        length = int(received[at:line_end].partition(b";")[0], 16)
        begin, end = line_end + 2, line_end + 2 + length
        if received[end : end + 2] != b"\r\n":
            raise ValueError(f"a chunk of {length} bytes does not end where it should")
        if length == 0:
            return b"".join(chunks)
        chunks.append(bytes(received[begin:end]))
        at = end + 2


def _length(head: Head) -> int:
    """Of the whole answer."""
    if b"content-length" not in head.headers and head.status != 204:
        raise ValueError(f"the answer {head.status} says no Content-Length")
    return head.length + int(head.headers.get(b"content-length", b"0"))
