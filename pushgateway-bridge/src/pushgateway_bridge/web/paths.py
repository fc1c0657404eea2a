"""Paths that clients of some systems may spell in more than one way."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send


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
