"""What stands around the application: paths that may be spelled in more than one way, headers of every answer."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pushgateway_bridge.web.protocol import BridgeProtocol


class LenientPaths:
    """Routes *paths* regardless of case and of one trailing slash, as those systems' own servers do.

    All other paths stay as they are.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._paths:
            path = scope["path"].removesuffix("/").lower()
            if path in self._paths:
                scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class AnswerHeaders:
    """Adds the headers of web.config_file to each answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        added = BridgeProtocol.answer_headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower(), value) for name, value in message.get("headers", ())]
                set_already = {name for name, _ in own}
                message = {**message, "headers": [*own, *(one for one in added if one[0] not in set_already)]}
            await send(message)

        await self._app(scope, receive, send_with_headers if added else send)
