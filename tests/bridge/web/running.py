"""Bridges as programs of their own, by both ways of a push, and the owner of such a bridge's folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

import httpx2

from pushgateway_bridge.access.control import short_path
from tests.bridge.process import BridgeProcess
from tests.bridge.web.raw_http import Connection

WAYS: Final[Mapping[str, tuple[str, ...]]] = {"hot": (), "ordinary": ("--web.hot-routes=false",)}
"""The two ways that a push takes through the server → the flags that make it take that one."""


@contextlib.contextmanager
def owner_of(bridge: BridgeProcess) -> Iterator[httpx2.Client]:
    """A client that comes through the socket in the folder of the tokens, and so may do everything."""
    with (
        short_path(bridge.directory / "access") as path,
        httpx2.Client(transport=httpx2.HTTPTransport(uds=path), base_url="http://bridge") as client,
    ):
        yield client


def answered(connection: Connection, data: bytes) -> tuple[int, str]:
    """Status and body of the answer to one request."""
    answer = connection.ask(data)
    return answer.status, answer.body.decode()
