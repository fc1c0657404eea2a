"""ProxmoxVE's installers: what became of each installation, in five generations of clients.

Paths, fields and answers: docs/dialects/proxmoxve.md. A client never reads an answer's body, and most scripts wait
for it: what can be refused is refused at once, and nothing else is looked up here.
"""

from __future__ import annotations

from typing import Final

from pushgateway_bridge.dialects.dialect import Dialect, PushContext, Reply
from pushgateway_bridge.dialects.proxmoxve_fields import Invalid, read_event
from pushgateway_bridge.dialects.proxmoxve_json import NoObject, read
from pushgateway_bridge.dialects.proxmoxve_payload import IDENTITY, Unreadable
from pushgateway_bridge.errors import BodyTooLarge, MalformedBody, PushRejected
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.model.report import Report

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"

PREFIX: Final = "/pve"
_EVENTS: Final = ("/telemetry", "/")
_STARTS: Final = ("/upload", "/dev/upload")
_UPDATES: Final = ("/upload/updatestatus", "/dev/upload/updatestatus")
_ALL: Final = (*_EVENTS, *_STARTS, *_UPDATES)

PATHS: Final = (*_ALL, *(f"{PREFIX}{path}" for path in _ALL))
_START_PATHS: Final = frozenset(
    PATHS[PATHS.index(path) + offset] for path in _STARTS for offset in (0, len(_ALL))
)
_UPDATE_PATHS: Final = frozenset(
    PATHS[PATHS.index(path) + offset] for path in _UPDATES for offset in (0, len(_ALL))
)

ACCEPTED: Final = Reply(202, b"accepted", TEXT)
SAVED: Final = Reply(201, b'{"message":"Data saved successfully"}', JSON)
UPDATED: Final = Reply(200, b'{"message":"Record updated successfully"}', JSON)

_NEEDED_OF_UPDATE: Final = IDENTITY - {"nsapp"}

INVALID_BODY: Final = "invalid body"
INVALID_JSON: Final = "invalid json"
INVALID_PAYLOAD: Final = "invalid payload"


def decode(body: bytes, context: PushContext) -> Report:
    """The event in *body*. Raises MalformedBody, whose text is all that a client is told."""
    updates = context.path in _UPDATE_PATHS
    predecessor = updates or context.path in _START_PATHS
    try:
        sent = read(body, _NEEDED_OF_UPDATE if updates else IDENTITY)
        event, masked = read_event(sent, updates=updates, predecessor=predecessor)
    except Unreadable:
        raise MalformedBody(INVALID_JSON) from None
    except (Invalid, NoObject):
        raise MalformedBody(INVALID_PAYLOAD) from None
    return Report(
        accepted=1,
        events=(event,),
        rescued=int(sent.rescued),
        sanitized=int(masked),
        answer=(UPDATED if updates else SAVED) if predecessor else None,
    )


_TEXTS: Final = {405: "method not allowed", 415: INVALID_BODY, 429: "rate limited", 503: "server busy"}
"""What clients are told of a refusal that is none of their payload."""


def refuse(error: PushRejected) -> Reply:
    """A line of plain text."""
    if isinstance(error, BodyTooLarge):
        return _plain(400, INVALID_BODY)
    text = _TEXTS.get(error.status) or str(error)
    return _plain(400 if error.status == 415 else error.status, text)


def _plain(status: int, text: str) -> Reply:
    return Reply(status, f"{text}\n".encode(), TEXT)


DIALECT = Dialect(
    name="proxmoxve",
    paths=PATHS,
    max_body_bytes=262_144,
    series_class=SeriesClass.AGGREGATE,
    default_interval_seconds=None,
    decode=decode,
    accepted=ACCEPTED,
    refuse=refuse,
    accepted_at={**dict.fromkeys(_START_PATHS, SAVED), **dict.fromkeys(_UPDATE_PATHS, UPDATED)},
    needs_path=True,
    default_rate="60/m",
    repairs=True,
)
