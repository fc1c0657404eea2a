"""The history of alerts: Alertmanager posts to it, people and dashboards read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from pushgateway_bridge.access.shared_token import SharedToken
from pushgateway_bridge.alerts.history import AlertHistory
from pushgateway_bridge.alerts.query import (
    DEFAULT_LIMIT,
    DEFAULT_SORT,
    LABELS,
    MAX_LIMIT,
    SORTS,
    STATUSES,
    BadParameter,
    deletion,
    page_query,
)
from pushgateway_bridge.alerts.webhook import decode_webhook
from pushgateway_bridge.errors import ClientGone, PushRejected
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.guard import Guard, check_unbound, visitor_of
from pushgateway_bridge.web.openapi import (
    BEARER,
    DENIED,
    JSON,
    RETRY_AFTER,
    TOKEN_OR_NOTHING,
    Responses,
    problem,
    query_parameter,
)

HISTORY: Final = "/api/v1/alerts/history"
WEBHOOK: Final = "/api/v1/alerts/webhook"
MAX_BODY_BYTES: Final = 4 * 2**20

_MOMENT: Final = "Unix seconds, or a time as in RFC 3339."
_SELECTING: Final = (
    query_parameter("from", f"Alerts that fired at this time or later. {_MOMENT}"),
    query_parameter("to", f"Alerts that fired at this time or earlier. {_MOMENT}"),
    *(query_parameter(name, f"The value of the label {name}.") for name in LABELS),
    query_parameter("status", "Whether they fire.", schema={"type": "string", "enum": [*STATUSES]}),
)
_PAGING: Final = (
    query_parameter(
        "limit",
        "Alerts of one answer.",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    query_parameter(
        "sort",
        "What they are sorted by; with - the greatest first.",
        schema={
            "type": "string",
            "enum": [sign + key for key in SORTS for sign in ("", "-")],
            "default": DEFAULT_SORT,
        },
    ),
    query_parameter("cursor", "The next_cursor of the answer before, with the same other parameters."),
)
_TIME: Final = {"type": "string", "format": "date-time"}
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_ENTRY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "fingerprint": {"type": "string", "description": "Alertmanager's hash of all labels."},
        "status": {"enum": [*STATUSES]},
        "labels": _TEXTS,
        "annotations": {**_TEXTS, "description": "As they were when it was first told."},
        "starts_at": _TIME,
        "ends_at": {"anyOf": [_TIME, {"type": "null"}]},
        "duration_seconds": {"type": "number", "description": "Until now, or the first page, if it fires."},
        "notified": {"type": "integer", "description": "Notifications, repeats and resolution included."},
        "last_notified": _TIME,
        "closed_by": {
            "enum": ["alertmanager", "prometheus", "newer", None],
            "description": "Who ended it: a notification; Prometheus, where it fires no more; the same alert, "
            "which fired anew.",
        },
    },
}
_ENTRY["required"] = [*_ENTRY["properties"]]
_PAGE: Final = {
    "type": "object",
    "required": ["alerts", "next_cursor"],
    "properties": {
        "alerts": {"type": "array", "items": _ENTRY},
        "next_cursor": {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "description": "The cursor of the next page; null if this is the last one.",
        },
    },
}
_EXAMPLE: Final = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HostDown", "job": "node", "instance": "lab-7", "severity": "critical"},
            "annotations": {"summary": "lab-7 is down"},
            "startsAt": "2026-02-01T12:00:00.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "5f2c1d9e7a3b4c60",
        }
    ],
}
_UNAVAILABLE: Final = {
    **problem("The history cannot be read or written just now, or the bridge is starting or stopping."),
    "headers": RETRY_AFTER,
}


def _counted(description: str, name: str) -> dict[str, Any]:
    schema = {"type": "object", "required": [name], "properties": {name: {"type": "integer", "minimum": 0}}}
    return {"description": description, "content": {JSON: {"schema": schema}}}


_READ: Final[Responses] = {
    200: {"description": "Alerts that were told, a page of them.", "content": {JSON: {"schema": _PAGE}}},
    **DENIED,
    400: problem("A parameter makes no sense; the answer names it and says what is allowed."),
    503: _UNAVAILABLE,
}
_DELETED: Final[Responses] = {**_READ, 200: _counted("They are gone, for good.", "deleted")}
_TOLD: Final[Responses] = {
    200: _counted("What was told is on disk and survives a crash.", "stored"),
    **DENIED,
    400: problem("The body is no notification of Alertmanager, cut off, or does not inflate."),
    413: problem(f"The body is larger than {MAX_BODY_BYTES} bytes."),
    415: problem("The body has a content coding that nothing here inflates."),
    503: _UNAVAILABLE,
}


def history_router(history: AlertHistory, guard: Guard, clock_ms: Callable[[], int]) -> APIRouter:
    """``GET`` of the history; whoever includes it says who may read."""
    router = APIRouter(tags=["alerts"])

    @router.get(
        HISTORY,
        response_class=Response,
        responses=_READ,
        openapi_extra={**TOKEN_OR_NOTHING, "parameters": [*_SELECTING, *_PAGING]},
    )
    async def read_history(request: Request) -> Response:
        """Alerts that fire or fired, the newest first. ``label.NAME=VALUE`` selects by any other label."""
        try:
            page = await history.page(page_query(request.query_params.multi_items(), clock_ms()))
        except BadParameter as error:
            raise HTTPException(400, str(error)) from error
        except PushRejected as refusal:
            raise guard.denied(refusal) from refusal
        return Response(msgspec.json.encode(page), media_type=JSON)

    return router


def alerts_router(
    history: AlertHistory, guard: Guard, token_hash_file: str, clock_ms: Callable[[], int]
) -> APIRouter:
    """What changes the history: Alertmanager's webhook, and ``DELETE``.

    *token_hash_file* has the hash of Alertmanager's token; empty: there is none but those of the bridge.
    """
    router = APIRouter(tags=["alerts"])
    shared = SharedToken(Path(token_hash_file)) if token_hash_file else None

    async def admit(request: Request) -> None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if shared is None or scheme.lower() != "bearer":
            await guard.reporter(request)
        elif not await asyncio.to_thread(shared.matches, secret.strip()):
            await guard.reporter(request)  # it may be a token of the bridge

    @router.post(
        WEBHOOK,
        response_class=Response,
        responses=_TOLD,
        dependencies=[Depends(BEARER)],
        openapi_extra={
            "requestBody": {"required": True, "content": {JSON: {"schema": {}, "example": _EXAMPLE}}}
        },
    )
    async def webhook(request: Request) -> Response:
        """What Alertmanager tells (version 4 of its webhook), kept. What came before is counted, not kept twice."""
        try:
            await admit(request)
            body = await read_body(request, request.headers.get("content-encoding", ""), MAX_BODY_BYTES)
            alerts = await asyncio.to_thread(decode_webhook, body, clock_ms())
            await history.record(alerts)
        except ClientDisconnect as error:
            raise HTTPException(ClientGone.status, "the client closed the connection") from error
        except PushRejected as refusal:
            history.failed[refusal.reason] = history.failed.get(refusal.reason, 0) + 1
            raise guard.denied(refusal) from refusal
        return Response(msgspec.json.encode({"stored": len(alerts)}), media_type=JSON)

    @router.delete(
        HISTORY,
        response_class=Response,
        responses=_DELETED,
        dependencies=[Depends(guard.deleter), Depends(BEARER)],
        openapi_extra={
            "parameters": [
                *_SELECTING,
                query_parameter("before", f"Alerts that ended before. {_MOMENT}"),
                query_parameter("all", "Everything.", schema={"type": "string", "enum": ["true"]}),
            ]
        },
    )
    async def delete_history(request: Request) -> Response:
        """Delete what the parameters select; ``label.NAME=VALUE`` selects by any other label."""
        try:
            check_unbound(visitor_of(request))
            deleted = await history.delete(deletion(request.query_params.multi_items()))
        except BadParameter as error:
            raise HTTPException(400, str(error)) from error
        except PushRejected as refusal:
            raise guard.denied(refusal) from refusal
        return Response(msgspec.json.encode({"deleted": deleted}), media_type=JSON)

    return router
