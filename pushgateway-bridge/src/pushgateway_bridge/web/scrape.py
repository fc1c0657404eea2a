"""GET /metrics: pushed series and our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request, Response
from isal import isal_zlib
from prometheus_client import CollectorRegistry

from pushgateway_bridge.exposition.negotiation import OPENMETRICS, TEXT, accepts_gzip, wants_openmetrics
from pushgateway_bridge.exposition.text import family_header, own_families
from pushgateway_bridge.model.family import SeriesClass
from pushgateway_bridge.state.store import Store, blocks_of
from pushgateway_bridge.web.openapi import (
    DENIED,
    PLAIN,
    STARTING,
    STRING,
    TOKEN_OR_NOTHING,
    Responses,
    plain,
    query_parameter,
)

SLICE_SECONDS = 0.001
"""Longest time that rendering keeps pushes waiting."""
COMPRESSED_BYTES = 2**20
"""How much is compressed at a time."""


def scrape_router(store: Store, registry: CollectorRegistry, undelivered: Sequence[SeriesClass]) -> APIRouter:
    """``GET /metrics``: the newest of everything.

    ``?class[]=undelivered`` leaves out what another delivery carries to Prometheus: all but the classes
    *undelivered*.
    """
    router = APIRouter(tags=["metrics"])

    async def metrics(request: Request) -> Response:
        """The metrics in Prometheus' text format or OpenMetrics, as the Accept header asks."""
        asked = set(request.query_params.getlist("class[]"))
        unknown = asked - {"undelivered"}
        if unknown:
            text = f"unknown class[] {', '.join(sorted(unknown))}: the only one is undelivered\n"
            return Response(text, 400, media_type="text/plain")
        openmetrics = wants_openmetrics(request.headers.get("accept", ""))
        classes = undelivered if asked else tuple(SeriesClass)
        parts = await render(store, registry, classes, openmetrics=openmetrics)
        headers = {"Content-Type": OPENMETRICS if openmetrics else TEXT, "Vary": "Accept, Accept-Encoding"}
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            return Response(await asyncio.to_thread(gzip_parts, parts), headers=headers)
        return Response(b"".join(parts), headers=headers)

    answers: Responses = {
        200: {
            "description": "The metrics.",
            "content": {PLAIN: STRING, OPENMETRICS.partition(";")[0]: STRING},
        },
        400: plain("class[] is unknown."),
        **DENIED,
        **STARTING,
    }
    router.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        response_class=Response,
        responses=answers,
        openapi_extra={
            **TOKEN_OR_NOTHING,
            "parameters": [
                query_parameter(
                    "class[]", "undelivered: only what nothing else brings to Prometheus.", many=True
                )
            ],
        },
    )
    router.add_api_route(
        "/metrics", metrics, methods=["HEAD"], response_class=Response, include_in_schema=False
    )
    return router


async def render(
    store: Store, registry: CollectorRegistry, classes: Sequence[SeriesClass], *, openmetrics: bool
) -> list[bytes]:
    """The exposition in parts, sorted by family name; pushes go on between slices of the work."""
    until = time.perf_counter() + SLICE_SECONDS
    for group in store.waiting():
        store.settle(group)
        if time.perf_counter() > until:
            await asyncio.sleep(0)
            until = time.perf_counter() + SLICE_SECONDS
    own = {family.name: (family, lines) for family, lines in own_families(registry.collect())}
    pushed = {family.family.name: family for family in store.families()}
    parts: list[bytes] = []
    until = time.perf_counter() + SLICE_SECONDS
    for name in sorted({*own, *pushed}):
        family, lines = own.get(name) or (pushed[name].family, [])
        blocks = blocks_of(pushed[name], classes) if name in pushed else []
        if not lines and not blocks:
            continue
        parts.append(family_header(family, openmetrics=openmetrics))
        parts.append("".join(lines).encode())
        for block in blocks:
            parts.append(block.text(openmetrics=openmetrics))
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + SLICE_SECONDS
    if openmetrics:
        parts.append(b"# EOF\n")
    return parts


def gzip_parts(parts: Sequence[bytes]) -> bytes:
    """*parts* as one gzip stream, by Intel's library, which takes a fifth of zlib's time for the same size.

    In large pieces, as each takes the interpreter's lock from the event loop again.
    """
    compressor = isal_zlib.compressobj(1, isal_zlib.DEFLATED, 31)
    return b"".join([*(compressor.compress(piece) for piece in _pieces(parts)), compressor.flush()])


def _pieces(parts: Sequence[bytes]) -> Iterator[bytes]:
    """*parts* joined to pieces of at least COMPRESSED_BYTES."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= COMPRESSED_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
