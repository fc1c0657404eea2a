"""What the OpenAPI document says that the framework cannot know: bodies that dialects read themselves, their answers
in their own form, plain texts, and who needs a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.security import HTTPBearer

from pushgateway_bridge.dialects.dialect import Dialect, Reply, TokenNeed
from pushgateway_bridge.dialects.pushgateway import MAX_TIME_TO_LIVE_SECONDS
from pushgateway_bridge.errors import REJECTIONS, ClientGone, PushRejected, RateLimited, WrongMethod
from pushgateway_bridge.once import MAX_KEY_CHARACTERS
from pushgateway_bridge.web.body import CODINGS
from pushgateway_bridge.web.guard import REFUSALS

Responses = dict[int | str, dict[str, Any]]

JSON: Final = "application/json"
PLAIN: Final = "text/plain"
HTML: Final = "text/html"
STRING: Final = {"schema": {"type": "string"}}

BEARER: Final = HTTPBearer(auto_error=False, scheme_name="token", description="A token of this bridge.")
"""Names the scheme in the document; the guard does the checking."""
TOKEN_OR_NOTHING: Final[dict[str, Any]] = {"security": [{}, {"token": []}]}
"""Of a route that needs a token in some configurations only."""

EXAMPLES: Final[Mapping[str, tuple[str, str]]] = {
    "pixeltracker": (
        JSON,
        '{"source": {"hostname": "lab-7", "platform": "linux", "arch": "x64"},'
        ' "cpu": {"cores": 4, "load1m": 0.42}, "memory": {"totalMB": 7950, "usedMB": 3120}}',
    ),
    "statusmonitor": (
        JSON,
        '{"timestamp": 1769932800.25, "cpu": {"usage_percent": 37.5, "count_logical": 8, "load_avg": [0.4, 0.3, 0.2]},'
        ' "memory": {"total": 17179869184, "available": 9000000000}}',
    ),
    "statix": (
        JSON,
        '{"hostname": "lab-7", "cpu": 12.4, "ram": 48.1, "disk": 61.7, "timestamp": 1769932800}',
    ),
    "minigem": (
        JSON,
        '{"schema": "jwc.v1", "batch": [{"anon": "00112233445566778899aabbccddeeff", "evt": "java.run.started",'
        ' "t": 1769932800000, "os": "linux-x64", "ext": "2.3.1", "vscode": "1.96.0", "sessionId": "s-81"}]}',
    ),
    "proxmoxve": (
        JSON,
        '{"random_id": "5b1c7d52", "execution_id": "5b1c7d52", "type": "lxc", "nsapp": "gitea",'
        ' "status": "installing", "ct_type": 1, "disk_size": 8, "core_count": 2, "ram_size": 2048,'
        ' "os_type": "debian", "os_version": "13", "pve_version": "9.0.3", "method": "default"}',
    ),
    "samples": (
        JSON,
        '[{"name": "room_temperature_celsius", "value": 21.5, "labels": {"room": "a", "job": "house"},'
        ' "type": "gauge"}]',
    ),
    "mapped": (JSON, '{"device": "north", "temp": 21.5, "door": "open"}'),
    "pushgateway": (PLAIN, '# TYPE backup_seconds gauge\nbackup_seconds{job="nightly"} 12.5\n'),
}
"""Dialect → the media type and the text of a push that is accepted, where it has not its own."""

PATH_ENDINGS: Final[Mapping[str, str]] = {
    "/metrics/job/": "nightly",
    "/metrics/job@base64/": "bmlnaHRseQ",
    "/api/v1/groups": "",
    "/api/v1/push/": "greenhouse",
}
"""How a path that goes on may, as an example; empty: it need not, and is shown so."""
REST: Final = "{rest}"
"""What a path that goes on ends with in the framework's document, which does not say what that is."""

TIME_TO_LIVE: Final = frozenset({"pushgateway"})
"""Dialects that look at the header X-Time-To-Live-Seconds."""

PROBLEM: Final = {
    "schema": {
        "type": "object",
        "required": ["detail"],
        "properties": {"detail": {"type": "string", "description": "Why the request was not granted."}},
    }
}
CHALLENGE: Final = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "How to say who asks."}}
RETRY_AFTER: Final = {
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 0},
        "description": "Seconds after which to try again.",
    }
}


DESCRIPTION: Final = """\
Turns the JSON that agents, scripts and applications POST into Prometheus metrics. An accepted push is on disk.

Open a request, press *Try it out* and *Execute*: the examples work as they stand, **on this bridge**, so what they
push is stored. For your own programs, `POST /api/v1/samples` takes any value with a name, and
`POST /api/v1/push/<name>` takes JSON as it is. Where a token is asked for, *Authorize* takes it.
"""

_DIALECTS: Final = {
    "samples": "values with a name, a time and labels: for scripts and programs of your own",
    "mapped": "any JSON, by a mapping that says what becomes of it",
    "pushgateway": "groups of metrics in Prometheus' own formats, as Pushgateway takes them",
    "pixeltracker": "pixelTracker's agents",
    "statusmonitor": "StatusMonitor's agents, and its API for them",
    "statix": "Monitoring Stack's forwarders, and the reads of its dashboard",
    "minigem": "minigem's events, and its statistics",
    "proxmoxve": "the ProxmoxVE telemetry service's installations",
}
_OTHERS: Final = {
    "metrics": "what Prometheus scrapes",
    "sources": "who reports, and forgetting who does no more",
    "prometheus": "reading what Prometheus has stored",
    "alerts": "the history of alerts, which Alertmanager tells",
    "tokens": "who may push, read, delete and administer",
    "health": "whether the bridge runs, and whether it can take pushes",
    "operation": "the bridge itself",
}


def tags(dialects: Iterable[str]) -> list[dict[str, str]]:
    """What each section of the document is about, in the order of the page, where these *dialects* are spoken."""
    spoken = {*dialects}
    known = {name: text for name, text in _DIALECTS.items() if name in spoken}
    plugins = dict.fromkeys(sorted(spoken - known.keys()), "a plugin")
    return [{"name": name, "description": text} for name, text in (known | plugins | _OTHERS).items()]


class Application(FastAPI):
    """The framework's, with a document that says how paths go on."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            document["paths"] = dict(_with_ending(*path) for path in document["paths"].items())
        assert self.openapi_schema is not None
        return self.openapi_schema


def _with_ending(path: str, item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    begin, goes_on, _ = path.partition(REST)
    if not goes_on:
        return path, item
    example = PATH_ENDINGS.get(begin, "name")
    if not example:
        return begin, item
    for operation in item.values():
        operation["parameters"].insert(
            0,
            {
                "name": REST.strip("{}"),
                "in": "path",
                "required": True,
                "description": "How the path goes on.",
                "schema": {"type": "string", "minLength": 1},
                "example": example,
            },
        )
    return path, item


def problem(description: str) -> dict[str, Any]:
    """A refusal in the framework's form."""
    return {"description": description, "content": {JSON: PROBLEM}}


def plain(description: str, media_type: str = PLAIN) -> dict[str, Any]:
    """An answer that is a text."""
    return {"description": description, "content": {media_type: STRING}}


DENIED: Final[Responses] = {
    status: problem(refusal["description"]) | ({"headers": CHALLENGE} if status == 401 else {})
    for status, refusal in REFUSALS.items()
}
"""What the guard answers."""
STARTING: Final[Responses] = {
    503: {
        "description": "Too many passwords are being checked, or the bridge is starting or stopping.",
        "content": {JSON: PROBLEM, PLAIN: STRING},
        "headers": RETRY_AFTER,
    }
}
"""What reads of the state answer besides."""


def push_responses(dialect: Dialect, path: str) -> Responses:
    """Every answer to a push to *path*, in the form that *dialect* gives it."""
    accepted = dialect.accepted_at.get(path, dialect.accepted)
    responses: Responses = {
        accepted.status: {
            "description": "What was accepted is on disk and survives a crash.",
            "content": _content(accepted),
        }
    }
    for kind in (*REJECTIONS, *dialect.own_rejections):
        if kind in (WrongMethod, ClientGone):  # no answer to a push, and one that nobody reads
            continue
        reply = dialect.refuse(_one(kind))
        told = f"{kind.reason}: {(kind.__doc__ or '').strip()}"
        known = responses.setdefault(reply.status, {"description": "", "content": {}})
        known["description"] = f"{known['description']}\n{told}".strip()
        for media_type, content in _content(reply).items():
            known["content"].setdefault(media_type, content)
        if reply.status == 401:
            known["headers"] = CHALLENGE
        elif reply.status in (429, 503):
            known["headers"] = RETRY_AFTER
    return responses


def _one(kind: type[PushRejected]) -> PushRejected:
    text = "what is wrong with it"
    return RateLimited(text, 60) if kind is RateLimited else kind(text)


def _content(reply: Reply) -> dict[str, Any]:
    media_type = reply.content_type.partition(";")[0]
    if media_type == JSON:
        return {JSON: {"schema": {}, "example": msgspec.json.decode(reply.body)}}
    return {media_type: {**STRING, "example": reply.body.decode()}}


def push_operation(dialect: Dialect) -> dict[str, Any]:
    """The body, headers and token of a push of *dialect*."""
    media_type, text = dialect.example or EXAMPLES.get(dialect.name, (JSON, ""))
    content: dict[str, Any] = {"schema": {}} if media_type == JSON else dict(STRING)
    if text:
        content["example"] = msgspec.json.decode(text) if media_type == JSON else text
    parameters = [
        _header("Content-Encoding", "How the body is compressed.", {"enum": [*CODINGS, "identity"]}),
        _header(
            "Idempotency-Key",
            "Makes repeats of this push count once.",
            {"minLength": 1, "maxLength": MAX_KEY_CHARACTERS, "pattern": "^[!-~]+$"},
        ),
    ]
    if dialect.name in TIME_TO_LIVE:
        parameters.append(
            _header(
                "X-Time-To-Live-Seconds",
                "How long what is pushed stays; without it, until it is replaced or deleted.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIME_TO_LIVE_SECONDS},
            )
        )
    if dialect.token_header == "authorization":  # noqa: S105 - the name of a header
        needs: list[dict[str, list[str]]] = [{"token": []}]
        security = needs if dialect.token_need is TokenNeed.ALWAYS else [{}, *needs]
    else:
        parameters.append(_header(dialect.token_header, "A token of this bridge with the right push.", {}))
        security = []
    return {
        "requestBody": {"required": True, "content": {media_type: content}},
        "parameters": parameters,
        "security": security,
    }


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


def query_parameter(
    name: str,
    description: str,
    *,
    required: bool = False,
    many: bool = False,
    schema: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A parameter that the framework does not read: a text, unless *schema* says otherwise."""
    one = schema or {"type": "string"}
    kind = {"type": "array", "items": one} if many else one
    return {"name": name, "in": "query", "required": required, "description": description, "schema": kind}
