"""The page where a browser shows a token once, and holds a session from then on."""

from __future__ import annotations

import html
import logging
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.requests import ClientDisconnect

from pushgateway_bridge.access.sessions import COOKIE
from pushgateway_bridge.access.token import Right
from pushgateway_bridge.errors import ClientGone, MalformedBody, PushRejected
from pushgateway_bridge.web.body import read_body
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.pages import PAGE_HEADERS
from pushgateway_bridge.web.rate import ClientAddresses

logger = logging.getLogger(__name__)

MAX_FORM_BYTES: Final = 4096

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in</title>
<link rel="stylesheet" href="/landing.css">
</head>
<body>
<main class="narrow">
<h1>Log in</h1>
<p>Reading here needs a token with the right <code>read</code>. Whoever runs the bridge makes one with
<code>pushgateway-bridge token create --name me --right read</code>.</p>
{problem}<form method="post" action="/login">
<input type="hidden" name="next" value="{following}">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
</form>
</main>
</body>
</html>
"""


def login_router(guard: Guard, addresses: ClientAddresses) -> APIRouter:
    """``/login`` and ``/logout``."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def login_page(request: Request) -> HTMLResponse:
        return _page(safe_path(request.query_params.get("next", "")))

    @router.post("/login")
    async def login(request: Request) -> Response:
        try:
            body = await read_body(request, request.headers.get("content-encoding", ""), MAX_FORM_BYTES)
            form = _form(body)
            token, following = form.get("token", "").strip(), safe_path(form.get("next", ""))
        except ClientDisconnect:
            return Response(status_code=ClientGone.status)  # nobody reads it
        except PushRejected as refusal:
            return _page("/dashboard", str(refusal), refusal.status)
        try:
            known = await guard.known(token, Right.READ)
        except PushRejected as refusal:
            return _page(following, str(refusal), refusal.status)
        answer = RedirectResponse(following, 303)
        answer.set_cookie(
            COOKIE,
            guard.sessions.begin(known.token),
            max_age=round(guard.sessions.seconds),
            httponly=True,
            samesite="strict",
            secure=addresses.is_https(request),
        )
        return answer

    @router.post("/logout")
    async def logout() -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def safe_path(wanted: str) -> str:
    """*wanted* if it is a path of this server, else the dashboard's: no link may lead elsewhere from here."""
    plain = wanted.startswith("/") and wanted[1:2] not in ("/", "\\") and wanted.isprintable()
    return wanted if plain else "/dashboard"


def _form(body: bytes) -> dict[str, str]:
    """Raises MalformedBody."""
    try:
        fields = parse_qs(body.decode("ascii"), strict_parsing=bool(body), max_num_fields=10)
    except ValueError as error:
        raise MalformedBody("this is no form") from error
    return {name: values[0] for name, values in fields.items()}


def _page(following: str, problem: str = "", status: int = 200) -> HTMLResponse:
    shown = f'<p class="problem" role="alert">{html.escape(problem)}</p>\n' if problem else ""
    text = _PAGE.format(problem=shown, following=html.escape(following))
    return HTMLResponse(text, status, headers={**PAGE_HEADERS, "Cache-Control": "no-store"})
