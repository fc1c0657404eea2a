from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Message

from pushgateway_bridge.access.documents import TOKEN_STATES, MadeToken, NewToken, ShownToken
from pushgateway_bridge.access.token import ACTIVATION_SECONDS, Right
from pushgateway_bridge.web.tokens import MAX_BODY_BYTES, changed
from tests.bridge.web.harness import Web

TOKENS = "/api/v1/tokens"


class Admin:
    """Asks with an administrator's token."""

    def __init__(self, web: Web) -> None:
        self.web = web
        web.bridge.tokens.directory.mkdir()
        self.token, self.secret = web.bridge.tokens.create("admin", [Right.ADMIN])

    def ask(self, method: str, path: str = "", content: Any = None, **options: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.secret}", **options.pop("headers", {})}
        return self.web.request(method, TOKENS + path, content=content, headers=headers, **options)

    def create(self, **fields: Any) -> httpx2.Response:
        return self.ask("POST", json={"name": "nas", "rights": ["push"], **fields})

    def listed(self) -> list[dict[str, Any]]:
        """All but the administrator's own."""
        found: list[dict[str, Any]] = self.ask("GET").json()
        return found[1:]

    def pushes(self, secret: str) -> int:
        return self.web.push(b'{"name":"a"}', authorization=f"Bearer {secret}").status_code


@pytest.fixture
def admin(web: Web) -> Admin:
    return Admin(web)


def test_a_token_is_made_shown_once_and_listed_without_its_text(admin: Admin) -> None:
    answer = admin.create(
        rights=["push", "read"], job="backup", instance="nas", lifetime_seconds=3600, enrol=True
    )
    made = answer.json()
    secret = made.pop("token")

    assert answer.status_code == 201
    created = made.pop("created")
    assert made.pop("expires") == pytest.approx(created + 3600)
    assert made.pop("activate_before") == pytest.approx(created + ACTIVATION_SECONDS)
    assert made == {
        "id": 2,
        "name": "nas",
        "rights": ["push", "read"],
        "job": "backup",
        "instance": "nas",
        "owner": admin.token.id,
        "state": "pending",
        "last_used": None,
    }
    assert [one["id"] for one in admin.listed()] == [2]
    assert secret not in admin.ask("GET").text
    assert admin.web.bridge.tokens.find(secret).token.id == 2


def test_what_is_not_said_of_a_token_is_the_widest_and_for_ever(admin: Admin) -> None:
    made = admin.create().json()

    assert (made["job"], made["instance"], made["expires"], made["activate_before"], made["state"]) == (
        "",
        "",
        None,
        None,
        "active",
    )
    assert admin.pushes(made["token"]) == 200


def test_each_token_says_in_which_state_it_is(admin: Admin) -> None:
    revoked = admin.create().json()["id"]
    admin.ask("DELETE", f"/{revoked}")
    admin.create()
    admin.create(enrol=True)
    admin.create(lifetime_seconds=0.000_1)

    assert [one["state"] for one in admin.listed()] == ["revoked", "active", "pending", "expired"]
    for state in TOKEN_STATES:
        expected = 2 if state == "active" else 1
        assert admin.web.value("telemetry_tokens", state=state) == expected


def test_a_revoked_token_pushes_nothing_from_then_on(admin: Admin) -> None:
    made = admin.create().json()
    assert admin.pushes(made["token"]) == 200
    answer = admin.ask("DELETE", f"/{made['id']}")

    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert "token" not in answer.json()
    assert admin.pushes(made["token"]) == 401
    assert admin.ask("DELETE", f"/{made['id']}").json() == answer.json()


def test_a_rotated_token_pushes_with_its_new_text_alone(admin: Admin) -> None:
    made = admin.create(job="pixeltracker").json()
    renewed = admin.ask("POST", f"/{made['id']}/rotate").json()

    assert renewed["token"] != made["token"]
    assert (renewed["id"], renewed["job"], renewed["rights"]) == (made["id"], "pixeltracker", ["push"])
    assert admin.pushes(made["token"]) == 401
    assert admin.pushes(renewed["token"]) == 200


def test_an_administrator_can_take_its_own_right_away(admin: Admin) -> None:
    assert admin.ask("DELETE", f"/{admin.token.id}").status_code == 200

    assert admin.ask("GET").status_code == 401
    assert admin.create().status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/99"), ("POST", "/99/rotate"), ("DELETE", f"/{2**53}")]
)
def test_a_number_that_no_token_has_is_a_404(admin: Admin, method: str, path: str) -> None:
    answer = admin.ask(method, path)

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("no token has the number ")


def test_what_is_no_number_of_a_token_is_a_422(admin: Admin) -> None:
    for number in ("0", "-1", "x", "1.5", str(2**53 + 1), "9" * 500, "%00"):
        assert admin.ask("DELETE", f"/{number}").status_code == 422, number
        assert admin.ask("POST", f"/{number}/rotate").status_code == 422, number


# Bodies


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "n"},
        {"name": "n" * 100},
        {"name": "ü" * 100},
        {"rights": ["push", "delete", "read", "admin"]},
        {"job": "j" * 1024, "instance": "i" * 1024},
        {"lifetime_seconds": 100 * 365 * 86400},
        {"lifetime_seconds": 0},
    ],
    ids=["short", "long name", "long name in bytes", "all rights", "long source", "a century", "for ever"],
)
def test_what_may_be_asked_for_is_made_and_read_again(admin: Admin, fields: dict[str, Any]) -> None:
    made = admin.create(**fields).json()
    admin.web.bridge.tokens.load()

    assert admin.listed() == [{name: value for name, value in made.items() if name != "token"}]


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no json": b"{",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "no name": b'{"rights":["push"]}',
    "empty name": b'{"name":"","rights":["push"]}',
    "long name": b'{"name":"%b","rights":["push"]}' % (b"n" * 101),
    "half a character": b'{"name":"\\ud800","rights":["push"]}',
    "half a character as a key": b'{"name":"n","rights":["push"],"\\ud800":1}',
    "no rights": b'{"name":"n"}',
    "empty rights": b'{"name":"n","rights":[]}',
    "unknown right": b'{"name":"n","rights":["fly"]}',
    "too many rights": b'{"name":"n","rights":["push","push","push","push","push"]}',
    "unknown key": b'{"name":"n","rights":["push"],"colour":1}',
    "long job": b'{"name":"n","rights":["push"],"job":"%b"}' % (b"j" * 1025),
    "negative time": b'{"name":"n","rights":["push"],"lifetime_seconds":-1}',
    "too long a time": b'{"name":"n","rights":["push"],"lifetime_seconds":1e10}',
    "no time": b'{"name":"n","rights":["push"],"lifetime_seconds":NaN}',
    "infinite time": b'{"name":"n","rights":["push"],"lifetime_seconds":1e999}',
    "deep": b"[" * 10_000,
}


def test_what_asks_for_no_token_is_told_what_is_wrong(admin: Admin) -> None:
    for what, body in BAD.items():
        answer = admin.ask("POST", content=body, headers={"content-type": "application/json"})

        assert answer.status_code == 422, what
        detail = answer.json()["detail"]
        assert isinstance(detail, str), what
        assert 0 < len(detail) < 300, what
    assert admin.listed() == []


def test_what_was_sent_is_not_repeated(admin: Admin) -> None:
    answer = admin.create(rights=["hidden-1"], job=["hidden-2"], lifetime_seconds="hidden-3")

    assert answer.status_code == 422
    assert "hidden" not in answer.text
    assert answer.json()["detail"].count("; ") == 2


def test_a_body_that_is_too_long_is_refused_before_it_is_read_whole(admin: Admin) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    assert admin.ask("POST", content=endless()).status_code == 413
    assert sent <= MAX_BODY_BYTES + 1000


def test_a_stranger_is_refused_before_anything_is_read(web: Web) -> None:
    """Or whoever has no token could fill the memory."""
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b" " * 1000

    assert web.request("POST", TOKENS, content=endless()).status_code == 401
    assert read == []


def test_who_hangs_up_makes_no_token(admin: Admin, caplog: pytest.LogCaptureFixture) -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"name":"n",', "more_body": True},
        {"type": "http.disconnect"},
    ]
    admin.web.raw("POST", TOKENS, messages, headers=[(b"authorization", f"Bearer {admin.secret}".encode())])

    assert admin.listed() == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# Faults


def test_what_cannot_be_written_is_a_503_and_changes_nothing(admin: Admin) -> None:
    made = admin.create().json()
    before = admin.listed()
    blocked = admin.web.bridge.tokens.file.with_suffix(".json.new")
    blocked.mkdir()

    for answer in (
        admin.create(),
        admin.ask("POST", f"/{made['id']}/rotate"),
        admin.ask("DELETE", f"/{made['id']}"),
    ):
        assert answer.status_code == 503
        assert answer.json() == {"detail": "the file of tokens could not be written: Is a directory"}
    assert admin.listed() == before
    assert admin.pushes(made["token"]) == 200
    blocked.rmdir()
    assert admin.create().status_code == 201


def test_pushes_go_on_while_the_disk_is_slow() -> None:
    """A change waits in a thread, not in the event loop."""
    go_on = threading.Event()

    async def both() -> bool:
        slow = asyncio.create_task(changed(go_on.wait, 60))
        await asyncio.sleep(0)
        go_on.set()
        return await slow

    assert asyncio.run(both())


# The document


@pytest.fixture
def document(web: Web) -> dict[str, Any]:
    found: dict[str, Any] = web.get("/api/v1/openapi.json").json()
    return found


def test_the_document_says_what_a_body_may_hold(document: dict[str, Any]) -> None:
    body = document["paths"][TOKENS]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert set(body["properties"]) == set(NewToken.model_fields)
    assert body["additionalProperties"] is False
    assert body["properties"]["rights"]["items"] == {"$ref": "#/components/schemas/Right"}
    assert document["components"]["schemas"]["Right"]["enum"] == [right.value for right in Right]


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "", {"200"}),
        ("post", "", {"201", "400", "413", "415", "422"}),
        ("delete", "/{token_id}", {"200", "404", "422"}),
        ("post", "/{token_id}/rotate", {"200", "404", "422"}),
    ],
)
def test_the_document_names_each_answer(
    document: dict[str, Any], method: str, path: str, statuses: set[str]
) -> None:
    answers = document["paths"][TOKENS + path][method]["responses"]

    assert set(answers) - {"409"} == statuses | {"401", "403", "503"}


def test_only_what_is_made_shows_a_text() -> None:
    assert set(MadeToken.model_fields) - set(ShownToken.model_fields) == {"token"}


def test_the_folder_is_made_by_whoever_has_it(tmp_path: Path) -> None:
    """A bridge without a folder for its tokens cannot make one; the program makes it at its start."""
    with Web(tmp_path) as web:
        token_folder = web.bridge.tokens.directory
        with web.bridge.tokens.locked():
            assert token_folder.is_dir()
