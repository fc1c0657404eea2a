"""The bridge's ASGI application in process, its life included, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import httpx2
import msgspec
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Message

from pushgateway_bridge.app import Bridge
from pushgateway_bridge.config import Config, JournalConfig, ViewerConfig

START_SECONDS = 30.0


class RawReply(NamedTuple):
    """What an ASGI application sent."""

    status: int
    headers: dict[str, str]
    body: bytes


class Web:
    """Requests to a bridge of its own; ``started=False`` leaves it before its replay."""

    def __init__(self, directory: Path, *, recent_entries: int = 1000, started: bool = True) -> None:
        config = Config(
            journal=JournalConfig(directory=str(directory / "journal"), recent_entries=recent_entries),
            viewer=ViewerConfig(dashboards_directory=str(directory / "dashboards")),
        )
        self._started = started
        self._runner = asyncio.Runner()
        self.bridge = Bridge(config)
        self.app: ASGIApp = self.bridge.web_app()
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()

    def __enter__(self) -> Web:
        self.bridge.journal.open()
        if self._started:
            self._runner.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._started:
            self._runner.run(self._stop())
        self.bridge.journal.close()
        self._runner.close()

    async def _start(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._life = asyncio.create_task(self._live(scope))
        await self._to_app.put({"type": "lifespan.startup"})
        assert (await self._from_app.get())["type"] == "lifespan.startup.complete"
        async with asyncio.timeout(START_SECONDS):
            while not self.bridge.ingest.ready:  # noqa: ASYNC110 - the bridge tells nobody but those who ask
                await asyncio.sleep(0)

    async def _live(self, scope: dict[str, Any]) -> None:
        await self.app(scope, self._to_app.get, self._from_app.put)

    async def _stop(self) -> None:
        await self._to_app.put({"type": "lifespan.shutdown"})
        assert (await self._from_app.get())["type"] == "lifespan.shutdown.complete"
        await self._life

    # Requests

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """One request with no other headers than those given."""
        return self._runner.run(self._request(method, path, **options))

    async def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://bridge") as client:
            for name in ("accept", "accept-encoding", "user-agent"):
                del client.headers[name]
            return await client.request(method, path, **options)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """GET with headers, such as ``accept_encoding="gzip"``."""
        return self.request(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def push(
        self, body: bytes | AsyncIterator[bytes], path: str = "/api/telemetry", **headers: str
    ) -> httpx2.Response:
        """POST *body* as JSON unless *headers* say otherwise."""
        fields = {"content-type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.request("POST", path, content=body, headers=fields)

    def raw(
        self,
        method: str,
        path: str,
        messages: Iterable[Message] = (),
        *,
        query: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] = (
            (b"host", b"bridge"),
            (b"content-type", b"application/json"),
        ),
    ) -> RawReply:
        """What a well-behaved client cannot send, and the reply as it came."""
        return self._runner.run(self._raw(method, path, messages, query, headers))

    async def _raw(
        self,
        method: str,
        path: str,
        messages: Iterable[Message],
        query: bytes,
        headers: Iterable[tuple[bytes, bytes]],
    ) -> RawReply:
        waiting = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])
        sent: list[Message] = []

        async def receive() -> Message:
            return next(waiting)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "root_path": "",
            "headers": list(headers),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await self.app(scope, receive, send)
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return RawReply(sent[0]["status"], answered, body)

    # What a scrape and the compatibility read show

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series on /metrics, ``None`` if it is not there."""
        text = self.get("/metrics").text
        for metric in text_string_to_metric_families(text):
            for sample in metric.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None

    def entries(self) -> list[dict[str, Any]]:
        """What GET /api/telemetry answers with."""
        return msgspec.json.decode(self.get("/api/telemetry").content, type=list[dict[str, Any]])
