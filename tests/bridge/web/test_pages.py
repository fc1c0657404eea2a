from __future__ import annotations

import json
from pathlib import Path

import pytest

from pushgateway_bridge.web import pages
from tests.bridge.web.harness import Web

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@pytest.fixture
def viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built dashboard page, with files beside it that nobody may read."""
    folder = tmp_path / "viewer"
    (folder / "assets" / "deeper").mkdir(parents=True)
    (folder / "index.html").write_text("<!DOCTYPE html>the page")
    (folder / "assets" / "index-abc123.js").write_text("script()")
    (folder / "assets" / "index-abc123.css").write_text("body {}")
    (folder / "assets" / "data.unknown-kind").write_text("?")
    (folder / "assets" / ".secret").write_text("secret")
    (folder / "assets" / "deeper" / "inside.js").write_text("secret")
    (folder / "secret.txt").write_text("secret")
    monkeypatch.setattr(pages, "VIEWER", folder)
    return folder


@pytest.fixture
def dashboards(tmp_path: Path) -> Path:
    folder = tmp_path / "dashboards"
    folder.mkdir()
    return folder


def assert_page(web: Web, path: str, status: int, text: str) -> None:
    response = web.get(path)
    assert (response.status_code, response.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert text in response.text
    assert web.request("HEAD", path).status_code == status


# The landing page


def test_landing_page_shows_how_to_push_here(web: Web) -> None:
    assert_page(web, "/", 200, "curl -X POST http://127.0.0.1:10091/api/telemetry")


def test_landing_page_needs_nothing_that_its_policy_forbids(web: Web) -> None:
    page = web.get("/").text

    assert "<script" not in page
    assert "style=" not in page
    assert "<style" not in page
    assert web.get("/landing.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("link", ["/dashboard", "/metrics", "/-/ready", "/landing.css"])
def test_links_of_the_landing_page_lead_somewhere(web: Web, viewer: Path, link: str) -> None:
    assert f'href="{link}"' in web.get("/").text
    assert web.get(link).status_code == 200


# The dashboard page


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/"])
def test_dashboard_page_is_served_and_never_kept_by_the_browser(web: Web, viewer: Path, path: str) -> None:
    assert_page(web, path, 200, "the page")
    assert web.get(path).headers["cache-control"] == "no-cache"


def test_dashboard_page_that_is_not_built_says_how_to_get_it(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "VIEWER", tmp_path / "absent")

    assert_page(web, "/dashboard", 503, "make install")
    assert web.get("/dashboard/assets/index.js").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index-abc123.js", "text/javascript; charset=utf-8"),
        ("index-abc123.css", "text/css; charset=utf-8"),
        ("data.unknown-kind", "application/octet-stream"),
    ],
)
def test_asset_is_served_with_its_type_and_may_be_kept_for_ever(
    web: Web, viewer: Path, name: str, kind: str
) -> None:
    response = web.get(f"/dashboard/assets/{name}")

    assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "absent.js",
        "",
        ".",
        "..",
        "../secret.txt",
        "../assets/index-abc123.js",
        "..\\secret.txt",
        "/etc/passwd",
        "deeper",
        "deeper/inside.js",
        ".secret",
        "*",
        "\x00",
        "x" * 5000,
        "index-abc123.js/",
    ],
    ids=lambda name: repr(name[:16]),
)
def test_no_name_leads_to_any_other_file(web: Web, viewer: Path, name: str) -> None:
    """The names as the server sees them, after percent-decoding."""
    reply = web.raw("GET", f"/dashboard/assets/{name}")

    assert reply.status in {404, 307}
    assert b"secret" not in reply.body


@pytest.mark.parametrize("path", ["%2e%2e%2fsecret.txt", "..%5csecret.txt", "%2fetc%2fpasswd", "%00"])
def test_encoded_path_leads_nowhere(web: Web, viewer: Path, path: str) -> None:
    assert web.get(f"/dashboard/assets/{path}").status_code == 404


# What the page reads


def test_dashboards_are_listed_by_title(web: Web, dashboards: Path) -> None:
    (dashboards / "a.json").write_text(
        json.dumps({"uid": "z", "title": "Zebra", "tags": ["x"], "panels": []})
    )
    (dashboards / "b.json").write_text(json.dumps({"uid": "h", "title": "Host", "extra": 1}))

    assert web.get("/api/v1/dashboards").json() == [
        {"uid": "h", "title": "Host", "tags": None},
        {"uid": "z", "title": "Zebra", "tags": ["x"]},
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"title":"no uid"}', b'{"uid":"\xff"}', b"\x00\x01"],
    ids=["empty", "cut off", "array", "no uid", "no UTF-8", "binary"],
)
def test_broken_file_is_left_out_and_logged(
    web: Web, dashboards: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (dashboards / "a_broken.json").write_bytes(content)
    (dashboards / "good.json").write_text('{"uid":"h","title":"Host"}')

    assert [row["uid"] for row in web.get("/api/v1/dashboards").json()] == ["h"]
    assert f"dashboard left out file={dashboards / 'a_broken.json'}" in caplog.text


def test_folder_named_like_a_dashboard_is_left_out(web: Web, dashboards: Path) -> None:
    (dashboards / "folder.json").mkdir()

    assert web.get("/api/v1/dashboards").json() == []


def test_without_the_folder_there_are_no_dashboards(web: Web) -> None:
    assert web.get("/api/v1/dashboards").json() == []


def test_dashboard_is_its_file_as_it_is(web: Web, dashboards: Path) -> None:
    text = '{ "uid": "h",\n  "title": "Host", "ü": 1.0 }\n'
    (dashboards / "some-file.json").write_text(text)

    response = web.get("/api/v1/dashboards/h")

    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.text == text


def test_a_dashboard_that_changed_is_sent_anew_and_one_that_did_not_is_not(
    web: Web, dashboards: Path
) -> None:
    file = dashboards / "a.json"
    file.write_text('{"uid":"h","title":"Host"}')
    first = web.get("/api/v1/dashboards/h")
    known = {"if-none-match": f'"other", {first.headers["etag"]}'}

    again = web.request("GET", "/api/v1/dashboards/h", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"
    file.write_text('{"uid":"h","title":"Hosts"}')
    changed = web.request("GET", "/api/v1/dashboards/h", headers=known)

    assert (changed.status_code, changed.json()["title"]) == (200, "Hosts")
    assert web.get("/api/v1/dashboards").json()[0]["title"] == "Hosts"
    file.unlink()
    assert web.get("/api/v1/dashboards/h").status_code == 404


@pytest.mark.parametrize("accepted", ["gzip, br", "identity", "gzip;q=0"])
def test_what_is_long_is_compressed_for_who_understands_that(
    web: Web, viewer: Path, dashboards: Path, accepted: str
) -> None:
    script, document = "call();" * 1000, json.dumps({"uid": "h", "title": "Host", "text": "x" * 5000})
    (viewer / "assets" / "long.js").write_text(script)
    (dashboards / "a.json").write_text(document)

    for path, text in (("/dashboard/assets/long.js", script), ("/api/v1/dashboards/h", document)):
        answer = web.request("GET", path, headers={"accept-encoding": accepted})
        compressed = accepted == "gzip, br"
        assert answer.headers.get("content-encoding") == ("gzip" if compressed else None)
        assert (int(answer.headers["content-length"]) < len(text) / 5) == compressed
        assert (answer.text, answer.headers["vary"]) == (text, "Accept-Encoding")


@pytest.mark.parametrize("uid", ["absent", "some-file", "some-file.json", "..", "%2e%2e%2fsecret", "h/"])
def test_unknown_dashboard_is_not_found(web: Web, dashboards: Path, uid: str) -> None:
    (dashboards / "some-file.json").write_text('{"uid":"h","title":"Host"}')

    assert web.get(f"/api/v1/dashboards/{uid}").status_code in {404, 307}


def test_settings_name_grafana_only_if_there_is_one(web: Web) -> None:
    assert web.get("/api/v1/viewer/settings").json() == {"grafana_url": None}


def test_path_that_is_not_there_is_told_in_the_form_of_its_system(web: Web) -> None:
    ours, theirs = web.get("/nothing"), web.get("/pt/nothing<b>")

    assert (ours.status_code, ours.json()) == (404, {"detail": "Not Found"})
    assert (theirs.status_code, theirs.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "Cannot GET /pt/nothing&lt;b&gt;" in theirs.text
