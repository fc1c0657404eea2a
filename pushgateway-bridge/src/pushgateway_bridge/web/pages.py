"""The landing page, the dashboard page with the files it reads, and the page to try the API on."""

from __future__ import annotations

import asyncio
import html
import mimetypes
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse

from pushgateway_bridge.web.dashboards import Dashboards
from pushgateway_bridge.web.files import Files, respond
from pushgateway_bridge.web.guard import Guard

VIEWER: Final = Path(__file__).parent / "viewer"
"""Where the built pages stand; `make install` and the image put them there."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

_LANDING: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Push bridge</title>
<link rel="stylesheet" href="/landing.css">
</head>
<body>
<main>
<h1>Push bridge</h1>
<p>Turns the JSON that agents and applications POST into Prometheus metrics. Version {version}.</p>
<ul>
<li><a href="/dashboard">Dashboard</a>: the hosts that are scraped or push here</li>
<li><a href="/docs">API</a>: every request, to try out here</li>
<li><a href="/metrics">Metrics</a>: pushed series and the bridge's own</li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
<h2>Push something</h2>
<pre>curl -X POST {base}/api/telemetry -H 'Content-Type: application/json' \\
  -d '{{"name":"my-server","cpuC":8,"cpuL":63,"tRam":31387,"uRam":16382}}'</pre>
<p>Then ask Prometheus for <code>node_memory_MemTotal_bytes{{job="pixeltracker",instance="my-server"}}</code>.</p>
</main>
</body>
</html>
"""
_LANDING_STYLE: Final = """
:root { color-scheme: light dark; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
main.narrow { max-width: 26rem; }
form { display: grid; gap: .5rem; }
input, button { font: inherit; padding: .5rem .75rem; border-radius: 6px; border: 1px solid GrayText; }
button { justify-self: start; cursor: pointer; }
.problem { padding: .5rem .75rem; border-radius: 6px; border: 1px solid #c4162a; }
pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 20%, transparent);
  border-radius: 6px; }
"""
_NOT_BUILT: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="/landing.css"></head>
<body><main><h1>The {name} page is not built</h1>
<p>It needs npm (Node.js 20 or later). Install that, then run <code>make install</code>.
Everything else works without it{besides}.</p></main></body></html>
"""
_NO_VIEWER: Final = _NOT_BUILT.format(title="Dashboard", name="dashboard", besides="")
_NO_API_PAGE: Final = _NOT_BUILT.format(
    title="API", name="API", besides=': <a href="/api/v1/openapi.json">the document</a> that it shows is here'
)


def landing_router(version: str, base_url: str) -> APIRouter:
    """``/`` and the style that all plain pages share. Open to everybody: it says nothing about hosts."""
    router = APIRouter(include_in_schema=False)
    landing = _LANDING.format(version=html.escape(version), base=html.escape(base_url))

    @router.api_route("/", methods=["GET", "HEAD"])
    async def landing_page() -> HTMLResponse:
        return HTMLResponse(landing, headers=PAGE_HEADERS)

    @router.get("/landing.css")
    async def landing_style() -> Response:
        return Response(_LANDING_STYLE, media_type="text/css")

    return router


def viewer_router(dashboards: Path, grafana_url: str, guard: Guard) -> APIRouter:
    """``/dashboard`` and ``/docs`` with their assets, and the JSON that the first reads about *dashboards*."""
    router = APIRouter(include_in_schema=False)
    known, files = Dashboards(dashboards), Files()
    reader = [Depends(guard.reader)]

    page_reader = [Depends(guard.page_reader)]

    @router.api_route("/dashboard", methods=["GET", "HEAD"], dependencies=page_reader)
    @router.api_route("/dashboard/", methods=["GET", "HEAD"], dependencies=page_reader)
    async def dashboard() -> Response:
        return _built_page("index.html", _NO_VIEWER)

    @router.api_route("/d/{uid}", methods=["GET", "HEAD"], dependencies=page_reader)
    @router.api_route("/d/{uid}/{slug}", methods=["GET", "HEAD"], dependencies=page_reader)
    async def as_in_grafana(uid: str, request: Request) -> RedirectResponse:
        """Links of alerts and dashboards are written for Grafana; the parameters mean the same here."""
        kept = f"&{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/dashboard?uid={quote(uid, safe='')}{kept}", 307)

    @router.api_route("/docs", methods=["GET", "HEAD"], dependencies=page_reader)
    @router.api_route("/docs/", methods=["GET", "HEAD"], dependencies=page_reader)
    async def api_page() -> Response:
        return _built_page("docs.html", _NO_API_PAGE)

    @router.get("/dashboard/assets/{name}")
    async def asset(name: str, request: Request) -> Response:
        # Looked up among the files that are there: no name can lead anywhere else.
        built = {file.name: file for file in (VIEWER / "assets").glob("[!.]*") if file.is_file()}
        file = built.get(name)
        if file is None:
            raise HTTPException(404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        # The build names files by their content.
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return respond(request, await asyncio.to_thread(files.read, file), kind, headers)

    @router.get("/api/v1/dashboards", dependencies=reader)
    async def list_dashboards() -> JSONResponse:
        """Every dashboard: uid, title and tags, by title."""
        return JSONResponse(await asyncio.to_thread(known.list))

    @router.get("/api/v1/dashboards/{uid}", dependencies=reader)
    async def one_dashboard(uid: str, request: Request) -> Response:
        """The file of one dashboard, as it is."""
        found = (await asyncio.to_thread(known.read)).get(uid)
        if found is None:
            return JSONResponse({"error": f"no dashboard with uid {uid!r}"}, 404)
        return respond(request, found.content, "application/json", {"Cache-Control": "no-cache"})

    @router.get("/api/v1/viewer/settings", dependencies=reader)
    async def settings() -> JSONResponse:
        return JSONResponse({"grafana_url": grafana_url or None})

    return router


def _built_page(file: str, otherwise: str) -> Response:
    """A page that the build left, or *otherwise*, which says how to get it."""
    page = VIEWER / file
    if not page.is_file():
        return HTMLResponse(otherwise, 503, headers=PAGE_HEADERS)
    return FileResponse(page, headers={**PAGE_HEADERS, "Cache-Control": "no-cache"})
