"""What minigem's reads show of single events: sessions, the runs to look at first, the newest events. Pure.

Rows come from the recent entries, oldest first; all ids in them are keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from pushgateway_bridge.dialects.minigem_event import RUN_COMPLETED
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.tallies.minigem_rows import Row

MAX_SESSIONS: Final = 100
MAX_TOP: Final = 20
STUDENT_CHARACTERS: Final = 6

Document = dict[str, Any]


def recent_sessions(rows: Iterable[Row]) -> list[Document]:
    """The sessions of *rows*, the newest first."""
    sessions: dict[str, list[Row]] = {}
    for row in rows:
        if row.session:
            sessions.setdefault(row.session, []).append(row)
    newest = list(reversed(sessions.items()))  # of equally new ones the one that came last stands first
    newest.sort(key=lambda item: -max(row.t for row in item[1]))
    return [
        _session(session, sorted(of_it, key=lambda row: row.t)) for session, of_it in newest[:MAX_SESSIONS]
    ]


def _session(session: str, rows: Sequence[Row]) -> Document:
    runs = [row for row in rows if row.evt == RUN_COMPLETED]
    return {
        "id": session,
        "student": rows[0].anon,
        "startedAt": format_iso8601_ms(rows[0].t),
        "lastAt": format_iso8601_ms(rows[-1].t),
        "completed": bool(runs),
        "exit": runs[-1].exit if runs else None,
        "durationMs": runs[-1].duration_ms if runs else None,
        "interactive": any(row.interactive for row in runs),
    }


def ranked_runs(rows: Iterable[Row]) -> Document:
    """Completed runs: successes, interactive and long ones first; those that were broken off, short ones first."""
    runs = [row for row in rows if row.evt == RUN_COMPLETED]
    successes = sorted(
        (row for row in runs if row.exit == 0), key=lambda row: (not row.interactive, -(row.duration_ms or 0))
    )
    broken_off = sorted(
        (row for row in runs if row.exit == 130), key=lambda row: (row.interactive, row.duration_ms or 0)
    )
    return {
        "successTop": [_run(row) for row in successes[:MAX_TOP]],
        "frustratedTop": [_run(row) for row in broken_off[:MAX_TOP]],
    }


def _run(row: Row) -> Document:
    return {
        "student": row.anon[-STUDENT_CHARACTERS:],
        "ts": format_iso8601_ms(row.t),
        "durationMs": row.duration_ms,
        "interactive": row.interactive,
        "exit": row.exit,
        "outputBucket": row.bucket or "-",
    }


def recent_document(rows: Sequence[Row], limit: int) -> Document:
    """``/debug/recent``: the newest rows first, ids as keyed hashes."""
    return {"rows": [_recent(row) for row in reversed(rows[-limit:])]}


_SENT_NAMES: Final = (
    ("duration_ms", "durationMs"),
    ("wait_ms", "waitMsTotal"),
    ("exit", "exit"),
    ("bucket", "cumulativeBytesBucket"),
    ("interactive", "scannerUsage"),
    ("truncated", "truncatedOutput"),
    ("phase", "phase"),
    ("exception", "exceptionHash"),
)


def _recent(row: Row) -> Document:
    kept = msgspec.to_builtins(row)
    return {
        "ts": format_iso8601_ms(row.t),
        "anon": row.anon,
        "evt": row.evt,
        "os": row.os,
        "ext": row.ext,
        "vscode": row.vscode,
        "sessionId": row.session or None,
        "country": row.country or None,
        "m": {sent: kept[name] for name, sent in _SENT_NAMES if name in kept},
    }
