"""What stands around the application: paths that may be spelled in more than one way, paths and methods that nothing
answers, headers of every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pushgateway_bridge.dialects import pixeltracker, proxmoxve, statix
from pushgateway_bridge.errors import WrongMethod
from pushgateway_bridge.web.compat.minigem import minigem_no_route
from pushgateway_bridge.web.compat.proxmoxve import not_found
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


async def no_route(request: Request, error: Exception) -> Response:
    """404 or 405 in the form of the system whose prefix the path has; elsewhere in the framework's."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    form = next((form for prefix, form in _FORMS.items() if f"{path}/".startswith(prefix)), _detail)
    return form(request, error)


def _detail(_request: Request, error: HTTPException) -> Response:
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _of_pixeltracker(request: Request, _error: HTTPException) -> Response:
    page = pixeltracker.html_page("Error", f"Cannot {request.method} {request.scope['path']}")
    return Response(page, 404, media_type="text/html")


def _of_proxmoxve(_request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return Response(proxmoxve.refuse(WrongMethod()).body, 405, error.headers, "text/plain; charset=utf-8")
    return not_found()


def _of_statix(_request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        page = statix.refuse(WrongMethod()).body
    else:
        page = statix.html_page(404, "Not Found", NO_SUCH_PAGE)
    return Response(page, error.status_code, error.headers, "text/html")


NO_SUCH_PAGE: Final = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and"
    " try again."
)
"""As the framework of statix' own server words it."""
_FORMS: Final[Mapping[str, Callable[[Request, HTTPException], Response]]] = {
    "/pt/": _of_pixeltracker,
    "/sx/": _of_statix,
    "/mg/": minigem_no_route,
    "/pve/": _of_proxmoxve,
}
