"""The OpenAPI document against what real bridges answer to requests that schemathesis makes from it.

Requests are made from a fixed seed: the same ones in every run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.access.tokens import Tokens
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.config import AccessConfig, Config, JournalConfig
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.errors import (
    BodyTooLarge,
    ItemLimit,
    MissingToken,
    NotReady,
    RateLimited,
    UnsupportedEncoding,
)
from pushgateway_bridge.model.report import Report
from pushgateway_bridge.once import MAX_KEY_CHARACTERS
from pushgateway_bridge.web.openapi import EXAMPLES, PATH_ENDINGS, REST
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web

REQUESTS = 20
"""To each operation."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TIMEOUT_SECONDS = 60.0
METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
NO_BODY = (204, 304)


class FakePrometheus(BaseHTTPRequestHandler):
    """Answers in Prometheus' form: an error where a parameter is missing, else an empty result."""

    protocol_version = "HTTP/1.1"
    needed: Mapping[str, tuple[str, ...]] = {
        "/api/v1/query": ("query",),
        "/api/v1/query_range": ("query", "step"),
        "/api/v1/series": ("match[]",),
    }

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        given_ones = parse_qs(url.query)
        missing = [name for name in self.needed.get(url.path, ()) if name not in given_ones]
        if missing:
            document: dict[str, object] = {
                "status": "error",
                "errorType": "bad_data",
                "error": f"no {missing[0]}",
            }
        else:
            document = {"status": "success", "data": []}
        body = json.dumps(document).encode()
        self.send_response(400 if missing else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - named so by the base class
        """Say nothing."""


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    """The base address of a Prometheus."""
    with ThreadingHTTPServer(("127.0.0.1", 0), FakePrometheus) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Bearer(AuthBase):
    """Puts a token into each request when all else of it is made."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __call__(self, asked: requests.PreparedRequest) -> requests.PreparedRequest:
        asked.headers["Authorization"] = f"Bearer {self._secret}"
        return asked


class Api(NamedTuple):
    """A bridge and what is needed to ask it."""

    base_url: str
    schema: schemathesis.BaseSchema
    secrets: list[str]
    """Tokens with all rights; none if requests shall come without one."""


ACCESS: Mapping[str, tuple[str, ...]] = {
    "open": (),
    "closed": ("--access.read=token", "--access.open-protocols=token"),
    "admin": ("--access.read=token", "--access.open-protocols=token"),
}


@contextlib.contextmanager
def api(access: str, directory: Path, prometheus: str) -> Iterator[Api]:
    """A bridge with these access rules, without an error in its log when it is left."""
    secrets = []
    tokens = Tokens(directory / "access", lambda: time.time_ns() // 1_000_000)
    if access == "admin":
        with tokens.locked():
            # One for each operation, as the one may be revoked that asks.
            secrets = [tokens.create(f"tester {number}", list(Right))[1] for number in range(150)]
    log = directory / "log"
    flags = (
        *ACCESS[access],
        f"--access.directory={tokens.directory}",
        f"--prometheus.url={prometheus}",
    )
    with BridgeProcess(directory / "journal", *flags, log=log) as bridge:
        document = msgspec.json.decode(bridge.get("/api/v1/openapi.json"), type=dict[str, Any])
        yield Api(f"http://127.0.0.1:{bridge.port}", schemathesis.openapi.from_dict(document), secrets)
    said = log.read_text()
    assert "level=error" not in said.lower()
    assert "Traceback" not in said


Ask = Callable[[schemathesis.Case[Any]], None]


@pytest.mark.stack
@pytest.mark.parametrize("mode", tuple(GenerationMode), ids=str)
def test_every_answer_is_documented(mode: GenerationMode, tmp_path: Path, prometheus: str) -> None:
    """No 5xx, and no status, content type or JSON that the document does not name, whoever may do what.

    The bridges have the same document, and so are asked the same: to make requests takes longer than to answer them.
    """
    told: dict[str, Counter[int]] = {access: Counter() for access in ACCESS}
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        bridges = {}
        for access in ACCESS:
            (tmp_path / access).mkdir()
            bridges[access] = stack.enter_context(api(access, tmp_path / access, prometheus))
        bearers: dict[str, Bearer | None] = {}

        def ask(case: schemathesis.Case[Any]) -> None:
            for access, bridge in bridges.items():
                session.auth = bearers[access]
                answer = case.call(bridge.base_url, session, timeout=TIMEOUT_SECONDS)
                case.validate_response(answer, checks=CHECKS)
                # An agent's token stands in a header of its own, and /debug has a secret of its own.
                if not case.path.endswith("/ingest") and "/debug/" not in case.path:
                    told[access][answer.status_code] += 1

        first, *others = (bridge.schema for bridge in bridges.values())
        assert all(other.raw_schema == first.raw_schema for other in others)
        for found in first.get_all_operations():
            assert isinstance(found, Ok)
            assert bridges["admin"].secrets, "as many tokens as there are operations"
            bearers = {
                access: Bearer(bridge.secrets.pop()) if bridge.secrets else None
                for access, bridge in bridges.items()
            }
            try:
                ask_much(found.ok(), mode, ask)
            except Unsatisfiable:  # without a parameter or a body nothing can be wrong
                assert mode is GenerationMode.NEGATIVE

    assert all(answers.total() > 100 for answers in told.values())
    assert told["admin"][401] < 10  # of the tokens that were revoked
    assert told["admin"][200] > 20
    assert told["open"][401] > 10
    assert told["closed"][401] > 10


def ask_much(
    operation: schemathesis.APIOperation[Any, Any, Any, Any], mode: GenerationMode, ask: Ask
) -> None:
    """Call *ask* with requests to *operation*, the same ones in every run."""

    @settings(
        max_examples=REQUESTS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: schemathesis.Case[Any]) -> None:
        ask(case)

    run()


# The document itself


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What /api/v1/openapi.json answers. That nothing warns while it is made is part of the test."""
    with Web(tmp_path_factory.mktemp("document")) as web:
        found: dict[str, Any] = web.get("/api/v1/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_every_operation_has_a_name_of_its_own_and_a_description(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]

    assert len(set(names)) == len(names)
    assert [name for name, operation in operations(document) if not operation.get("description")] == []


def test_every_answer_names_its_content_type(document: dict[str, Any]) -> None:
    """Without one, any content type would count as documented."""
    bare = [
        f"{name} {status}"
        for name, operation in operations(document)
        for status, answer in operation["responses"].items()
        if not answer.get("content") and int(status) not in NO_BODY
    ]

    assert bare == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(reference := part.get("$ref"), str):
                yield reference
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    for reference in references(document):
        part: Any = document
        for key in reference.removeprefix("#/").split("/"):
            part = part[key]

        assert isinstance(part, dict)


def test_every_part_of_a_path_is_a_parameter_with_an_example_where_it_is_pushed_to(
    document: dict[str, Any],
) -> None:
    for name, operation in operations(document):
        declared = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "path"}
        assert set(re.findall(r"{(\w+)}", name)) == declared.keys(), name
        assert all("example" in one for one in declared.values()) or "requestBody" not in operation, name


def pushes_of(dialect: Dialect) -> list[tuple[str, str, str]]:
    """Method, path in the document, and path to ask of each operation that pushes."""
    return [
        (method, f"{path}{REST if PATH_ENDINGS.get(path) else ''}", f"{path}{PATH_ENDINGS.get(path, '')}")
        for path in dialect.paths
        for method in dialect.methods
    ]


READY_TO_USE = [name for name in DIALECTS if name != "mapped"]
"""A mapping must be written first."""


@pytest.mark.parametrize("name", READY_TO_USE)
def test_the_example_of_a_push_is_accepted(name: str, web: Web, document: dict[str, Any]) -> None:
    dialect = DIALECTS[name]
    media_type, _ = EXAMPLES[name]
    in_bearer = dialect.token_header == "authorization"
    instance = "" if in_bearer else "lab-7"
    with web.bridge.tokens.locked():
        secret = web.bridge.tokens.create("example", [Right.PUSH], instance=instance)[1]

    told = dialect.accepted if dialect.reply is None else dialect.reply(Report(accepted=1), [])
    pushes = pushes_of(dialect)
    for method, shown, path in pushes:
        push = document["paths"][shown][method.lower()]
        example = push["requestBody"]["content"][media_type]["example"]
        answer = web.request(
            method,
            path,
            content=example if isinstance(example, str) else msgspec.json.encode(example),
            headers={
                "content-type": media_type,
                dialect.token_header: f"Bearer {secret}" if in_bearer else secret,
            },
        )
        expected = dialect.accepted_at.get(path, told)
        assert (answer.status_code, answer.content) == (expected.status, expected.body)

    results = ("accepted", "deduplicated")  # an execution is one, wherever it is sent
    counted = sum(web.value("telemetry_events_total", dialect=name, result=one) or 0 for one in results)
    assert counted >= len(pushes)


LOOKED_AT = {
    "Idempotency-Key": "x" * (MAX_KEY_CHARACTERS + 1),
    "X-Time-To-Live-Seconds": "soon",
}
"""Header → a value that is refused by who looks at it."""


@pytest.mark.parametrize("header", LOOKED_AT)
@pytest.mark.parametrize("name", READY_TO_USE)
def test_a_header_of_a_push_is_documented_where_it_is_looked_at(
    name: str, header: str, web: Web, document: dict[str, Any]
) -> None:
    dialect = DIALECTS[name]
    media_type, example = EXAMPLES[name]
    in_bearer = dialect.token_header == "authorization"
    with web.bridge.tokens.locked():
        secret = web.bridge.tokens.create("example", [Right.PUSH], instance="" if in_bearer else "lab-7")[1]

    for method, shown, path in pushes_of(dialect):
        parameters = document["paths"][shown][method.lower()]["parameters"]
        answer = web.request(
            method,
            path,
            content=example,
            headers={
                "content-type": media_type,
                dialect.token_header: f"Bearer {secret}" if in_bearer else secret,
                header: LOOKED_AT[header],
            },
        )
        documented = header in [one["name"] for one in parameters if one["in"] == "header"]
        accepted = dialect.accepted_at.get(path, dialect.accepted)
        assert answer.status_code == (400 if documented else accepted.status), answer.text


def test_a_time_to_live_is_documented_with_the_bounds_that_it_has(web: Web, document: dict[str, Any]) -> None:
    push = document["paths"]["/metrics/job/{rest}"]["post"]
    [schema] = [one["schema"] for one in push["parameters"] if one["name"] == "X-Time-To-Live-Seconds"]
    above, most = schema["exclusiveMinimum"], schema["maximum"]

    def status(seconds: float) -> int:
        return web.push(b"a 1\n", "/metrics/job/a", x_time_to_live_seconds=str(seconds)).status_code

    assert (schema["type"], status(most), status(above + 0.001)) == ("number", 200, 200)
    assert (status(most + 1), status(above)) == (400, 400)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_push_documents_the_answers_that_every_dialect_has(name: str, document: dict[str, Any]) -> None:
    dialect = DIALECTS[name]

    for method, shown, _ in pushes_of(dialect):
        answers = document["paths"][shown][method.lower()]["responses"]
        accepted = dialect.accepted_at.get(shown, dialect.accepted)
        refused = (BodyTooLarge, UnsupportedEncoding, ItemLimit, RateLimited, NotReady, MissingToken)
        expected = {str(accepted.status), "400", "401", "429", "503"}
        expected |= {str(dialect.refuse(kind("why")).status) for kind in refused}
        assert expected <= set(answers)
        assert "Retry-After" in answers["429"]["headers"]
        assert "Retry-After" in answers["503"]["headers"]
        assert "WWW-Authenticate" in answers["401"]["headers"]


def test_a_closed_bridge_shows_its_document(tmp_path: Path) -> None:
    """It says nothing about hosts, and tells a client how to ask."""
    config = Config(
        journal=JournalConfig(directory=str(tmp_path)),
        access=AccessConfig(read="token", open_protocols="token"),
    )
    app = Bridge(config).web_app()

    async def ask() -> int:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://bridge"
        ) as client:
            return (await client.get("/api/v1/openapi.json")).status_code

    assert asyncio.run(ask()) == 200
