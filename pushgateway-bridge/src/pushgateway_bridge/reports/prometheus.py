"""Instant queries to Prometheus for a report."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from math import isfinite
from typing import Final, Literal

import httpx2
import msgspec

from pushgateway_bridge.reports.figures import Ask, Value

TIMEOUT_SECONDS: Final = 150.0
"""Longer than Prometheus gives a query: a week of many series takes a while."""


class NoAnswer(Exception):
    """Prometheus did not say; the message says why."""


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(msgspec.Struct, frozen=True, rename={"kind": "resultType"}):
    kind: Literal["vector"]
    result: list[_Series]


class _Answer(msgspec.Struct, frozen=True):
    status: Literal["success"]
    data: _Vector


class _Problem(msgspec.Struct, frozen=True):
    error: str = ""


def asking(client: httpx2.AsyncClient) -> Ask:
    """Asks through *client*, whose base address is Prometheus'. Raises NoAnswer."""
    return partial(_ask, client)


async def _ask(client: httpx2.AsyncClient, query: str, at: datetime) -> list[Value]:
    form = {"query": query, "time": str(at.timestamp())}
    try:
        answer = await client.post("/api/v1/query", data=form, timeout=TIMEOUT_SECONDS)
    except httpx2.HTTPError as error:
        raise NoAnswer(f"Prometheus at {client.base_url}: {str(error) or type(error).__name__}") from error
    if answer.status_code != 200:
        raise NoAnswer(f"Prometheus answers {answer.status_code}: {_complaint(answer.content)}")
    try:
        series = msgspec.json.decode(answer.content, type=_Answer).data.result
        values = [Value(one.metric, float(one.value[1])) for one in series]
    except (msgspec.DecodeError, ValueError) as error:
        raise NoAnswer(f"what is at {client.base_url} does not answer as Prometheus does: {error}") from error
    if not all(isfinite(value.number) for value in values):
        raise NoAnswer("Prometheus has a counter that is no number")
    return values


def _complaint(content: bytes) -> str:
    try:
        said = msgspec.json.decode(content, type=_Problem).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = content[:300].decode("utf-8", "replace")
    return " ".join(said.split())[:300]
