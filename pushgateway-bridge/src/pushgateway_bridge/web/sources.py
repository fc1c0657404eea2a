"""Sources: the list of who reports, and forgetting some of them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request, Response

from pushgateway_bridge.errors import PushRejected
from pushgateway_bridge.pipeline import CountedSource, Ingest
from pushgateway_bridge.state.store import SOURCE_RETENTION_SECONDS
from pushgateway_bridge.web.guard import Guard, check_binding, visitor_of
from pushgateway_bridge.web.openapi import (
    BEARER,
    DENIED,
    JSON,
    RETRY_AFTER,
    STARTING,
    TOKEN_OR_NOTHING,
    Responses,
    problem,
    query_parameter,
)
from pushgateway_bridge.web.source_query import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    WrongParameter,
    deletion,
    groups_of_page,
    list_query,
    page_of,
)

SOURCES: Final = "/api/v1/sources"

_NAME: Final = {"type": "string", "minLength": 1}
_COUNT: Final = {"type": "integer", "minimum": 0}
_INSTANCE: Final = query_parameter(
    "instance",
    "One of these instances; an empty one is that of a source without an instance.",
    many=True,
)
_READ_PARAMETERS: Final = (
    query_parameter("job", "Sources of this job.", schema=_NAME),
    _INSTANCE,
    query_parameter(
        "limit",
        "Sources of one answer.",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    query_parameter("cursor", "The next_cursor of the answer before, with the same other parameters."),
)
_DELETE_PARAMETERS: Final = (
    query_parameter("job", "Whose sources.", required=True, schema=_NAME),
    _INSTANCE,
    query_parameter(
        "all",
        "Every source of the job: instead of instance.",
        schema={"type": "string", "enum": ["true"]},
    ),
)
_SOURCE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "job": {"type": "string"},
        "instance": {"type": "string", "description": "Empty if it has none."},
        "dialects": {"type": "array", "items": {"type": "string"}, "description": "How it reports."},
        "series": {**_COUNT, "description": "That are held of it, those about the source itself left out."},
        "reports": {**_COUNT, "description": "That were accepted."},
        "last_report": {
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
            "description": "When the newest one was received.",
        },
        "report_interval_seconds": {
            "anyOf": [{"type": "number"}, {"type": "null"}],
            "description": "Median time between its last reports, or its dialect's usual interval; null if "
            "nothing comes regularly.",
        },
    },
}
_SOURCE["required"] = [*_SOURCE["properties"]]
_PAGE: Final = {
    "type": "object",
    "required": ["sources", "next_cursor"],
    "properties": {
        "sources": {"type": "array", "items": _SOURCE},
        "next_cursor": {
            "anyOf": [{"type": "string"}, {"type": "null"}],
            "description": "The cursor of the next page; null if this is the last one.",
        },
    },
}
_DELETION: Final = {
    "type": "object",
    "required": ["sources", "series", "missing"],
    "properties": {
        "sources": {**_COUNT, "description": "That were deleted."},
        "series": {**_COUNT, "description": "That they had, those about the sources themselves left out."},
        "missing": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Instances that were asked for, of which there is no source.",
        },
    },
}
_WRONG: Final = problem("A parameter makes no sense; the answer names it and says what is allowed.")
_READ: Final[Responses] = {
    200: {"description": "Sources that are known, a page of them.", "content": {JSON: {"schema": _PAGE}}},
    **DENIED,
    **STARTING,
    400: _WRONG,
}
_DELETED: Final[Responses] = {
    200: {
        "description": "They are gone, which is on disk and survives a crash.",
        "content": {JSON: {"schema": _DELETION}},
    },
    **DENIED,
    400: _WRONG,
    404: problem("There is no such source."),
    409: problem("A source among them is counted by its dialect's statistics; nothing was deleted."),
    503: {
        **problem(
            "The disk is full or fails, or the bridge is starting or stopping. Of many sources some may be gone."
        ),
        "headers": RETRY_AFTER,
    },
}


def list_router(ingest: Ingest) -> APIRouter:
    """``GET`` of the list; whoever includes it says who may read."""
    router = APIRouter(tags=["sources"])

    @router.get(
        SOURCES,
        response_class=Response,
        responses=_READ,
        openapi_extra={**TOKEN_OR_NOTHING, "parameters": [*_READ_PARAMETERS]},
    )
    async def list_sources(request: Request) -> Response:
        """Who has reported, by job and instance: how, when last, how often, and how many series that gave."""
        try:
            query = list_query(request.query_params.multi_items())
        except WrongParameter as error:
            raise HTTPException(400, str(error)) from error
        found = await asyncio.to_thread(groups_of_page, ingest.state.groups(), query)
        return Response(msgspec.json.encode(page_of(found, query.limit)), media_type=JSON)

    return router


def deletion_router(ingest: Ingest, guard: Guard) -> APIRouter:
    """``DELETE`` of sources, for who may delete."""
    router = APIRouter(tags=["sources"])

    @router.delete(
        SOURCES,
        response_class=Response,
        responses=_DELETED,
        dependencies=[Depends(guard.deleter), Depends(BEARER)],
        openapi_extra={"parameters": [*_DELETE_PARAMETERS]},
    )
    async def delete_sources(request: Request) -> Response:
        """Delete all series of some sources, and that they ever reported: none of them counts as silent."""
        try:
            wanted = deletion(request.query_params.multi_items())
            check_binding(visitor_of(request), wanted.job, wanted.instances)
            deleted = await ingest.delete_sources(wanted.has)
        except WrongParameter as error:
            raise HTTPException(400, str(error)) from error
        except CountedSource as error:
            days = round(SOURCE_RETENTION_SECONDS / 86_400)
            raise HTTPException(
                409,
                f"{error}, whose statistics would not fit its counters any more: nothing was deleted. It is "
                f"forgotten {days} days after its last event",
            ) from error
        except PushRejected as refusal:
            raise guard.denied(refusal) from refusal
        if not deleted.keys:
            raise HTTPException(404, f"no such source of job {wanted.job!r}")
        gone = {instance for _, instance in deleted.keys}
        answer = {
            "sources": len(deleted.keys),
            "series": deleted.series,
            "missing": sorted((wanted.instances or frozenset()) - gone),
        }
        return Response(msgspec.json.encode(answer), media_type=JSON)

    return router
