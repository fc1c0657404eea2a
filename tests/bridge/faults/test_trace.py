from __future__ import annotations

import pytest

from tests.bridge.faults.trace import Call, Violation, accepted, early_answers, read_trace

SOCKET = "12<TCP:[127.0.0.1:20000->127.0.0.1:50000]>"
WAL = "15</tmp/j/journal.db-wal>"
ASKED = f'7 read({SOCKET}, "POST /api/telemetry HTTP/1.1\\r\\n\\r\\n{{\\"name\\":\\"push-000001\\"}}", 65536) = 90'
WROTE = f'9 pwrite64({WAL}, "\\330push-000001\\0", 4096, 56) = 4096'
SYNCED = f"9 fdatasync({WAL}) = 0"
ANSWERED = f'7 write({SOCKET}, "HTTP/1.1 200 OK\\r\\n", 17) = 17'
SYNC_BEGAN = f"9 fdatasync({WAL} <unfinished ...>"
SYNC_ENDED = "9 <... fdatasync resumed>) = 0"


def violations(*lines: str) -> list[Violation]:
    return early_answers(list(read_trace(lines)))


def test_calls_are_read_whole_or_in_two_parts() -> None:
    calls = list(
        read_trace(
            [
                f"7 read({SOCKET},  <unfinished ...>",
                SYNC_BEGAN,
                '7 <... read resumed>"POST (1) = 5", 65536) = 12',
                SYNC_ENDED,
                f"9 fsync({WAL}) = -1 ENOSPC (No space left on device)",
                "7 --- SIGTERM {si_signo=SIGTERM} ---",
                "7 +++ exited with 0 +++",
            ]
        )
    )

    connection, wal = SOCKET[3:-1], WAL[3:-1]
    assert calls == [
        Call("read", connection, ',  "POST (1) = 5", 65536) = 12', 0, 2, 12),
        Call("fdatasync", wal, " ) = 0", 1, 3, 0),
        Call("fsync", wal, ") = -1 ENOSPC (No space left on device)", 4, 4, -1),
    ]


def test_a_push_that_is_synced_before_its_answer_is_no_violation() -> None:
    assert violations(ASKED, WROTE, SYNCED, ANSWERED) == []
    assert violations(ASKED, WROTE, SYNC_BEGAN, SYNC_ENDED, ANSWERED) == []
    assert violations(ASKED, WROTE, SYNCED, WROTE, ANSWERED) == [], "a later group writes its page again"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((ASKED, WROTE, ANSWERED), "not synced"),
        ((ASKED, WROTE, ANSWERED, SYNCED), "not synced"),
        ((ASKED, SYNCED, WROTE, ANSWERED), "not synced"),
        ((ASKED, SYNC_BEGAN, WROTE, SYNC_ENDED, ANSWERED), "not synced"),
        ((ASKED, WROTE, SYNC_BEGAN, ANSWERED, SYNC_ENDED), "not synced"),
        ((ASKED, WROTE, SYNCED.replace("= 0", "= -1 EIO"), ANSWERED), "not synced"),
        ((ASKED, WROTE, SYNCED.replace("-wal", ""), ANSWERED), "not synced"),
        ((ASKED, SYNCED, ANSWERED), "not written"),
        ((ASKED, ANSWERED, WROTE, SYNCED), "not written"),
    ],
    ids=[
        "never synced",
        "synced after the answer",
        "synced before the write",
        "sync began before the write",
        "sync ended after the answer",
        "sync failed",
        "another file synced",
        "never written",
        "written after the answer",
    ],
)
def test_an_answer_before_the_disk_is_a_violation(lines: tuple[str, ...], reason: str) -> None:
    assert violations(*lines) == [Violation("push-000001", reason)]


def test_other_answers_are_not_looked_at() -> None:
    refused = ANSWERED.replace("200 OK", "503 Refused")
    scrape = f'7 read({SOCKET}, "GET /metrics HTTP/1.1\\r\\n\\r\\n", 65536) = 30'

    assert list(accepted(read_trace([ASKED, refused.replace("12<", "13<").replace("50000", "50001")]))) == []
    assert violations(scrape, ANSWERED) == []
