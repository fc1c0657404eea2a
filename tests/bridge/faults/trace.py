"""Reads what strace wrote about a bridge, and finds answers that were given before the disk had their push. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

CALLS = "read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"
"""What to trace."""
ARGUMENTS = ("-f", "-yy", "-s", "5000", "-e", f"trace={CALLS}", "-e", "signal=none")
"""Threads too; what each descriptor is; enough of a string for a whole page of the journal."""

READS = frozenset({"read", "recvfrom", "recvmsg"})
WRITES = frozenset({"write", "writev", "sendto", "sendmsg", "pwrite64"})
SYNCS = frozenset({"fsync", "fdatasync"})
WAL = "journal.db-wal"

MARKER = re.compile(r"push-\d{6}")
"""What tells a push from all others; its body holds it, and so does what the journal writes of it."""

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\(\d+<(.+?)>(?=[,) ])(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")
_RESULT = re.compile(r".*\) += (-?\d+)(?: E[A-Z]+ \(.*\))?$")
UNFINISHED = "<unfinished ...>"


class Call(NamedTuple):
    """One system call: what it was about, and between which lines of the trace it ran."""

    name: str
    target: str
    """The file or connection of its descriptor."""
    text: str
    began: int
    ended: int
    result: int


class Violation(NamedTuple):
    """An answer that came too early."""

    marker: str
    reason: str


def read_trace(lines: Iterable[str]) -> Iterator[Call]:
    """The calls that came to an end, in that order. Other lines are left out."""
    open_calls: dict[str, tuple[str, str, str, int]] = {}
    for number, line in enumerate(lines):
        if (parts := _LINE.match(line)) is None:
            continue
        thread, what = parts.groups()
        if resumed := _RESUMED.match(what):
            if thread not in open_calls:
                continue
            name, target, text, began = open_calls.pop(thread)
            text += resumed[2]
        elif call := _CALL.match(what):
            name, target, text = call.groups()
            began = number
        else:
            continue
        if text.rstrip().endswith(UNFINISHED):
            open_calls[thread] = (name, target, text.rstrip().removesuffix(UNFINISHED), began)
        elif result := _RESULT.match(text):
            yield Call(name, target, text, began, number, int(result[1]))


def accepted(calls: Iterable[Call]) -> Iterator[tuple[str, Call]]:
    """The marker of each push that was answered with 200, and the call that began to send this answer."""
    asked: dict[str, str] = {}
    for call in calls:
        if "TCP" not in call.target:
            continue
        if call.name in READS:
            asked[call.target] = asked.get(call.target, "") + call.text
        elif call.name in WRITES and "HTTP/1.1 200" in call.text:
            marker = MARKER.search(asked.pop(call.target, ""))
            if marker is not None:
                yield marker[0], call


def early_answers(calls: Sequence[Call]) -> list[Violation]:
    """Pushes whose answer began before an fsync of the journal had ended that began after they were written to it.

    Their first write counts: later groups write the same pages again, with their own records beside them. SQLite
    writes all pages of a group before it asks for the one fsync.
    """
    journal = [call for call in calls if call.target.endswith(WAL)]
    syncs = [call for call in journal if call.name in SYNCS and call.result == 0]
    written: dict[str, Call] = {}
    for call in journal:
        if call.name in WRITES:
            for marker in MARKER.findall(call.text):
                written.setdefault(marker, call)
    violations = []
    for marker, answer in accepted(calls):
        write = written.get(marker)
        if write is None or write.ended > answer.began:
            violations.append(Violation(marker, "not written"))
        elif not any(sync.began > write.ended and sync.ended < answer.began for sync in syncs):
            violations.append(Violation(marker, "not synced"))
    return violations
