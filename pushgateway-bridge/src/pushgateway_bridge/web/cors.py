"""Which pages of other origins may ask what: CORS for the paths of one system, and for no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class FamilyCors:
    """Lets pages of *origins* ask *paths* and all below them, by any method, with any headers and with credentials.

    It answers preflight requests itself. Requests for other paths pass by, and get no word about origins.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str], paths: Iterable[str]) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], allow_credentials=True
        )
        self._paths = frozenset(paths)
        self._begins = tuple(f"{path}/" for path in self._paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_shared(scope["path"]):
            await self._shared(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_shared(self, path: str) -> bool:
        return path in self._paths or path.startswith(self._begins)
