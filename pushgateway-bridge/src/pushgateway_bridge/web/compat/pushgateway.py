"""What of Pushgateway's API does not push: DELETE of a group, and /api/v1 for those who look."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.dialects.pushgateway_groups import GROUPS_PATH
from pushgateway_bridge.dialects.pushgateway_outline import PUSH_FAILURE_TIME, PUSH_TIME, go_number
from pushgateway_bridge.dialects.pushgateway_path import grouping_key
from pushgateway_bridge.errors import PushRejected, WrongMethod
from pushgateway_bridge.model.text import LINE_NAME
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.pipeline import Ingest, check_identity
from pushgateway_bridge.selfmetrics import DialectCounts
from pushgateway_bridge.state.series import Group
from pushgateway_bridge.state.store import source_key
from pushgateway_bridge.web.openapi import DENIED, STARTING, TOKEN_OR_NOTHING
from pushgateway_bridge.web.push import PushGate, to_response

TYPES: Final = {"unknown": "UNTYPED"}


def pushgateway_router(
    dialect: Dialect,
    ingest: Ingest,
    counts: DialectCounts,
    gate: PushGate,
    version: str,
    clock_ms: Callable[[], int],
) -> APIRouter:
    """``DELETE`` on the paths of *dialect*, ``/api/v1/metrics`` and ``/api/v1/status``."""
    router = APIRouter(tags=[dialect.name])
    began = format_iso8601_ms(clock_ms())

    async def delete(request: Request) -> Response:
        """Delete a group. 202 also if there is none, as Pushgateway answers. It is as open as a push."""
        counts.pushes += 1
        try:
            if request.scope["path"].startswith(GROUPS_PATH):
                raise WrongMethod("a group is deleted at its own path")
            pusher = await gate.enter(request, dialect)
            labels = grouping_key(request.scope["raw_path"].decode("latin-1"))
            if pusher is not None:
                check_identity(pusher, [source_key(labels)])
            await ingest.delete(lambda group: ingest.state.dialect_of(group) == dialect.name, labels)
        except PushRejected as error:
            counts.rejected[error.reason] += 1
            response = to_response(dialect.refuse(error))
            response.headers.update(gate.guard.challenge(error))
            if response.status_code == 405:
                response.headers["Allow"] = ", ".join(dialect.methods)
            if error.retry_after_seconds:
                response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response
        return Response(status_code=202)

    for begin in dialect.paths:
        router.add_api_route(
            f"{begin}{{rest:text}}",
            delete,
            methods=["DELETE"],
            response_class=Response,
            include_in_schema=False,
        )

    reads: dict[str, Any] = {
        "dependencies": [Depends(gate.guard.reader)],
        "responses": {**DENIED, **STARTING},
        "openapi_extra": TOKEN_OR_NOTHING,
    }

    @router.get("/api/v1/metrics", **reads)
    async def metrics() -> JSONResponse:
        """All pushed groups with their metrics, as Pushgateway shows them."""
        groups = [shown(group) for group in ingest.state.groups_of(dialect.name)]
        return JSONResponse({"status": "success", "data": groups})

    @router.get("/api/v1/status", **reads)
    async def status() -> JSONResponse:
        """Version and start, in Pushgateway's form."""
        build = {"version": version}
        data = {"build_information": build, "flags": {}, "start_time": began}
        return JSONResponse({"status": "success", "data": data})

    return router


def shown(group: Group) -> dict[str, Any]:
    """*group* as one element of ``/api/v1/metrics``."""
    families: dict[str, list[tuple[str, dict[str, str], float]]] = {}
    kinds: dict[str, tuple[str, str]] = {}
    for one in group.by_id.values():
        if one.block is None:
            continue
        family = one.family.family
        labels = dict(one.labels)
        line = labels.pop(LINE_NAME, family.name)
        families.setdefault(family.name, []).append((line, labels, one.value))
        kinds[family.name] = (TYPES.get(family.type, family.type.upper()), family.help)
    labels = {name: value for name, value in group.labels if value}
    pushed = _time(families, PUSH_TIME.name)
    document: dict[str, Any] = {
        "labels": labels,
        "last_push_successful": pushed >= _time(families, PUSH_FAILURE_TIME.name),
    }
    for name, lines in families.items():
        kind, help_text = kinds[name]
        document[name] = {
            "time_stamp": format_iso8601_ms(round(pushed * 1000)),
            "type": kind,
            **({"help": help_text} if help_text else {}),
            "metrics": _metrics(name, kind, lines, dict(group.labels)),
        }
    return document


def _time(families: dict[str, list[tuple[str, dict[str, str], float]]], name: str) -> float:
    return families[name][0][2] if name in families else 0.0


def _metrics(
    name: str, kind: str, lines: list[tuple[str, dict[str, str], float]], group: dict[str, str]
) -> list[dict[str, Any]]:
    """The metrics of a family; the lines of a histogram or summary together.

    An empty instance of the *group* is shown, as Pushgateway does, unless a metric was pushed with one.
    """
    if kind not in ("HISTOGRAM", "SUMMARY"):
        return [{"labels": {**group, **labels}, "value": go_value(value)} for _, labels, value in lines]
    bound, parts = ("le", "buckets") if kind == "HISTOGRAM" else ("quantile", "quantiles")
    metrics: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for line, labels, value in lines:
        own = {label: text for label, text in labels.items() if label != bound}
        metric = metrics.setdefault(
            tuple(own.items()), {"labels": {**group, **own}, parts: {}, "count": "0", "sum": "0"}
        )
        if bound in labels:
            metric[parts][labels[bound]] = go_count(value) if bound == "le" else go_value(value)
        else:
            part = line.removeprefix(f"{name}_")
            metric[part] = go_count(value) if part == "count" else go_value(value)
    return list(metrics.values())


def go_value(value: float) -> str:
    """*value* as Go's fmt prints a float64."""
    if math.isnan(value):
        return "NaN"
    return "-0" if value == 0 and math.copysign(1, value) < 0 else go_number(value)


def go_count(value: float) -> str:
    """A count as Go's fmt prints a uint64: never with an exponent."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else go_value(value)
