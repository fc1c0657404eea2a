from __future__ import annotations

import pytest

from bench.http1 import Answer, body_of, is_whole, parse_answer, parse_head

HEAD = b"HTTP/1.1 200 OK\r\ndate: x\r\nContent-Length: 21\r\n\r\n"


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (HEAD + b'{"status":"accepted"}', Answer(200, len(HEAD) + 21)),
        (HEAD, Answer(200, len(HEAD) + 21)),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", Answer(202, 44)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, 27)),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length:3\r\n\r\nno\n", Answer(503, 57)),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"", None),
    ],
)
def test_an_answer_is_its_status_and_length(received: bytes, answer: Answer | None) -> None:
    assert parse_answer(received) == answer


@pytest.mark.parametrize(
    "received",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["no HTTP", "HTTP/1.0", "chunked"],
)
def test_what_cannot_be_read_is_refused(received: bytes) -> None:
    with pytest.raises(ValueError, match=r"HTTP/1\.1|Content-Length"):
        parse_answer(received)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n1;x=y\r\nz\r\n0\r\n\r\n"
COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno\n"


@pytest.mark.parametrize(
    ("answer", "body"), [(CHUNKED, b"0\r\n\r\nz"), (COUNTED, b"no\n")], ids=["chunked", "counted"]
)
def test_the_body_is_what_was_sent(answer: bytes, body: bytes) -> None:
    head = parse_head(answer)

    assert head is not None
    assert is_whole(head, answer)
    assert body_of(head, answer) == body


@pytest.mark.parametrize("answer", [CHUNKED[:-3], COUNTED[:-1]], ids=["chunked", "counted"])
def test_an_answer_is_not_whole_before_its_last_byte(answer: bytes) -> None:
    head = parse_head(answer)

    assert head is not None
    assert not is_whole(head, answer)


@pytest.mark.parametrize(
    "answer", [CHUNKED.replace(b"5\r\n", b"4\r\n", 1), COUNTED + b"more"], ids=["chunked", "counted"]
)
def test_a_body_of_another_length_than_was_said_is_refused(answer: bytes) -> None:
    head = parse_head(answer)

    assert head is not None
    with pytest.raises(ValueError, match=r"chunk of 4|expected an answer of"):
        body_of(head, answer)
