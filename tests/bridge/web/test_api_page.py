"""The page to try the API on: as /dashboard, but for its own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.web import pages
from pushgateway_bridge.web.pages import PAGE_HEADERS
from tests.bridge.web.gates import OPEN
from tests.bridge.web.harness import Web


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "viewer"
    folder.mkdir()
    (folder / "index.html").write_text("the dashboard")
    (folder / "docs.html").write_text("the API")
    monkeypatch.setattr(pages, "VIEWER", folder)
    return folder


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_served_with_the_strict_policy_and_never_kept(
    web: Web, built: Path, path: str, method: str
) -> None:
    answer = web.request(method, path)

    assert (answer.status_code, answer.text) == (200, "the API" if method == "GET" else "")
    assert {name: answer.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS
    assert "unsafe" not in PAGE_HEADERS["Content-Security-Policy"]
    assert answer.headers["cache-control"] == "no-cache"


def test_without_the_build_it_says_how_to_get_it_and_where_the_document_is(web: Web, built: Path) -> None:
    (built / "docs.html").unlink()

    answer = web.get("/docs")

    assert answer.status_code == 503
    assert "The API page is not built" in answer.text
    assert "make install" in answer.text
    assert 'href="/api/v1/openapi.json"' in answer.text
    assert {name: answer.headers[name] for name in PAGE_HEADERS} == PAGE_HEADERS


def test_the_landing_page_leads_to_it(web: Web, built: Path) -> None:
    assert 'href="/docs"' in web.get("/").text


def test_where_reading_needs_a_token_a_browser_is_sent_to_log_in(web: Web, built: Path) -> None:
    web.bridge.guard.rules = OPEN._replace(reads_need_token=True)
    web.bridge.tokens.directory.mkdir()
    secret = web.bridge.tokens.create("page", (Right.READ,))[1]

    denied, shown = web.get("/docs"), web.get("/docs", authorization=f"Bearer {secret}")

    assert (denied.status_code, denied.headers["location"]) == (303, "/login?next=/docs")
    assert (shown.status_code, shown.text) == (200, "the API")
