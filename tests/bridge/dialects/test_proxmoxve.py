from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pushgateway_bridge.dialects.dialect import PushContext, Reply
from pushgateway_bridge.dialects.masking import mask_paths, mask_text
from pushgateway_bridge.dialects.proxmoxve import DIALECT
from pushgateway_bridge.dialects.proxmoxve_errors import ERROR_PATTERNS, OTHER, classify, pattern_of
from pushgateway_bridge.dialects.proxmoxve_event import PROGRESS, TERMINAL, TYPES, ProxmoxveEvent
from pushgateway_bridge.dialects.proxmoxve_exit_codes import CATEGORIES, CATEGORY_OF, EXIT_CODES, describe
from pushgateway_bridge.dialects.proxmoxve_fields import _PLAIN, KEPT_ERROR_BYTES, OS_TYPES, REPOSITORIES
from pushgateway_bridge.dialects.proxmoxve_payload import Payload
from pushgateway_bridge.errors import (
    REJECTIONS,
    BodyTooLarge,
    JournalFailed,
    JournalFull,
    MalformedBody,
    NotReady,
    PushRejected,
    RateLimited,
    TooManySeries,
    UnsupportedEncoding,
    WrongMethod,
)
from pushgateway_bridge.model.report import Report

CASES = Path(__file__).parent / "cases" / "proxmoxve"
PATHS = {"telemetry": "/telemetry", "upload": "/upload", "updatestatus": "/upload/updatestatus"}
BODIES = sorted(CASES.glob("*/*.txt"))
RECEIVED_MS = 1_769_932_860_000
TELEMETRY = PushContext(RECEIVED_MS, path="/telemetry")
UPDATE = PushContext(RECEIVED_MS, path="/upload/updatestatus")
REFUSALS = {"invalid json", "invalid payload"}


def event_of(body: str | bytes, context: PushContext = TELEMETRY) -> ProxmoxveEvent:
    (event,) = DIALECT.decode(body.encode() if isinstance(body, str) else body, context).events
    assert isinstance(event, ProxmoxveEvent)
    return event


def refusal_of(body: bytes, path: str = "/telemetry") -> str | None:
    """What a client is told of *body*; ``None`` if it is accepted."""
    try:
        DIALECT.decode(body, PushContext(RECEIVED_MS, path=path))
    except MalformedBody as error:
        return str(error)
    return None


def expected_of(body: bytes, path: str) -> str:
    """What decoding gives: a line of flags, and one for each field of the event that says something."""
    try:
        report = DIALECT.decode(body, PushContext(RECEIVED_MS, path=path))
    except MalformedBody as error:
        return f"refused: {error}\n"
    (event,) = report.events
    flags = f"rescued={report.rescued} sanitized={report.sanitized}"
    fields = json.loads(msgspec.json.encode(event))
    lines = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join((flags, *lines, ""))


def failed(exit_code: object, error: str = "", **more: Any) -> bytes:
    fields = {"random_id": "r", "type": "lxc", "nsapp": "x", "status": "failed", "exit_code": exit_code}
    return json.dumps({**fields, "error": error, **more}).encode()


def assert_is_bounded(report: Report) -> None:
    (event,) = report.events
    assert isinstance(event, ProxmoxveEvent)
    assert report.accepted == 1
    assert event.status in {"installing", *PROGRESS, *TERMINAL}
    assert event.type in ("", *TYPES)
    assert event.error_category in {"", *CATEGORIES}
    assert event.error_pattern in {"", OTHER, *ERROR_PATTERNS}
    assert event.repo_source in ("", *REPOSITORIES)
    assert event.exit_code is None or 0 <= event.exit_code <= 255
    assert 0 <= event.duration_seconds <= 86_400
    assert 0 <= event.disk_gigabytes <= 100_000
    assert event.execution
    for name in ProxmoxveEvent.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, str):
            longest = KEPT_ERROR_BYTES if name == "error" else 256
            assert len(value.encode()) <= longest  # also: no lone surrogate
            assert name == "error" or "\n" not in value
    assert event.type not in ("lxc", "vm") or event.os_type in {"", *OS_TYPES}


@pytest.mark.parametrize("body", BODIES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_body_gives_its_event(body: Path, update_golden: bool) -> None:
    given_event = expected_of(body.read_bytes(), PATHS[body.parent.name])
    expected = body.with_suffix(".event")
    if update_golden:
        expected.write_text(given_event)

    assert given_event == expected.read_text()


def test_every_case_has_both_files() -> None:
    stems = {file.with_suffix("") for file in CASES.glob("*/*.txt")}

    assert stems
    assert stems == {file.with_suffix("") for file in CASES.glob("*/*.event")}


@pytest.mark.parametrize("prefix", ["", "/pve"])
@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/telemetry", None),
        ("/", None),
        ("/upload", Reply(201, b'{"message":"Data saved successfully"}', "application/json; charset=utf-8")),
        (
            "/upload/updatestatus",
            Reply(200, b'{"message":"Record updated successfully"}', "application/json; charset=utf-8"),
        ),
    ],
)
def test_each_generation_is_answered_as_it_knows(path: str, prefix: str, answer: Reply | None) -> None:
    paths = [prefix + path]
    if answer is not None:
        paths.append(f"{prefix}/dev{path}")
    for one in paths:
        assert one in DIALECT.paths
        report = DIALECT.decode(failed(1), PushContext(RECEIVED_MS, path=one))

        assert report.answer == answer
    assert DIALECT.accepted == Reply(202, b"accepted", "text/plain; charset=utf-8")


def test_there_are_no_other_paths() -> None:
    assert len(DIALECT.paths) == len(set(DIALECT.paths)) == 12


@pytest.mark.parametrize(
    ("refusal", "status", "text"),
    [
        (MalformedBody("invalid json"), 400, "invalid json"),
        (MalformedBody("invalid payload"), 400, "invalid payload"),
        (BodyTooLarge("262145 bytes"), 400, "invalid body"),
        (UnsupportedEncoding("br"), 400, "invalid body"),
        (WrongMethod("Cannot GET /telemetry"), 405, "method not allowed"),
        (RateLimited("60 a minute"), 429, "rate limited"),
        (TooManySeries("5000"), 429, "rate limited"),
        (NotReady("starting"), 503, "server busy"),
        (JournalFull("full"), 503, "server busy"),
        (JournalFailed("failed"), 503, "server busy"),
    ],
)
def test_refusals_have_the_texts_of_the_original(refusal: PushRejected, status: int, text: str) -> None:
    assert DIALECT.refuse(refusal) == Reply(status, f"{text}\n".encode(), "text/plain; charset=utf-8")


@pytest.mark.parametrize("kind", REJECTIONS)
def test_every_refusal_is_one_line_of_text(kind: type[PushRejected]) -> None:
    reply = DIALECT.refuse(kind("why"))

    assert 400 <= reply.status < 600
    assert reply.body.endswith(b"\n")
    assert reply.body.count(b"\n") == 1


# Fields


def test_every_field_of_the_fast_way_is_read_the_slow_way_too() -> None:
    """The slow way is taken for a body with a field that is not known."""
    for file in BODIES:
        body = file.read_bytes()
        path = PATHS[file.parent.name]
        if (
            body.startswith(b"{")
            and b"}" in body
            and "broken" not in file.stem
            and "garbage" not in file.stem
        ):
            unusual = b'{"unusual":1,' + body.lstrip()[1:] if body != b"{}" else b'{"unusual":1}'

            assert expected_of(unusual, path) == expected_of(body, path), file.stem


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_content_type_does_not_matter(content_type: str) -> None:
    context = PushContext(RECEIVED_MS, content_type, path="/telemetry")

    assert DIALECT.decode(failed(1), context) == DIALECT.decode(failed(1), TELEMETRY)


def test_error_text_is_kept_to_a_bound_and_read_beyond_it() -> None:
    event = event_of(failed(1, "Unpacking libfoo ...\n" * 5_000 + "no space left on device"))

    assert event.error_category == "storage"
    assert len(event.error.encode()) <= KEPT_ERROR_BYTES


def test_address_at_the_end_of_what_is_kept_is_masked_whole() -> None:
    for begin in range(KEPT_ERROR_BYTES - 14, KEPT_ERROR_BYTES + 2):
        error = event_of(failed(1, "x" * (begin - 1) + " 192.168.100.200")).error

        assert "192" not in error, begin


def test_execution_id_goes_before_random_id() -> None:
    assert event_of(failed(1, execution_id=" e ")).execution == "e"
    assert event_of(failed(1, execution_id="  ")).execution == "r"


@pytest.mark.parametrize(
    ("more", "generation"),
    [
        ({}, "1"),
        ({"status": "configuring"}, "2"),
        ({"execution_id": "e"}, "2"),
        ({"execution_id": "e", "repo_slug": "a/b"}, "3"),
        ({"execution_id": "e", "has_arm": False}, "3"),
        ({"execution_id": "e", "arch": "amd64"}, "3"),
        ({"execution_id": "e", "platform": "pve"}, "3"),
        ({"payload_version": 2}, "3.1"),
        ({"kernel_version": "6.8"}, "3.1"),
        ({"app_version": ""}, "3.1"),
        ({"failed_command": ""}, "3.1"),
        ({"failed_line": 0}, "3.1"),
    ],
)
def test_generation_shows_in_the_fields(more: dict[str, Any], generation: str) -> None:
    assert event_of(failed(1, **more)).generation == generation


@given(st.from_regex(_PLAIN, fullmatch=True))
def test_text_that_is_not_searched_has_nothing_private(text: str) -> None:
    assert mask_text(mask_paths(text)) == text
    assert text.isprintable()
    assert text.isascii()


# Categories

TABLE = {
    "network": "4-8 16 18 22 25 30 32-36 47 51 52 55 56 59 68 75 76 78 92 95 115 121 123 250",
    "storage": "23 24 26 73 74 119 120 214 217 219 224 235 251",
    "timeout": "28 118 124 211",
    "apt": "100-102 255",
    "dependency": "160-162 237 239",
    "permission": "77 126 152",
    "config": "10 64 112 116 125 203-208 232 233 236 238 245 253",
    "resource": "27 137 243",
    "service": "69 150 151",
    "build": "153 154",
    "database": "170-173 180-183 190-193",
    "proxmox": "109-111 117 200 209 210 212 213 215 216 218 220-223 225 226 231 234",
    "preflight": "103-108",
    "user_aborted": "113 114 122 129 130 254",
    "command_not_found": "127",
    "signal": "128 131-136 138 140-149 155-159 163-169 174-179 184-189",
}
"""As the documentation has it, written out."""


def codes(text: str) -> Iterator[int]:
    for word in text.split():
        first, _, last = word.partition("-")
        yield from range(int(first), int(last or first) + 1)


def test_every_exit_code_has_its_category() -> None:
    expected = {code: category for category, text in TABLE.items() for code in codes(text)}

    assert {code: CATEGORY_OF[code] for code in range(256)} == {
        code: expected.get(code, "unknown") for code in range(256)
    }


def test_every_exit_code_has_a_text() -> None:
    assert all(describe(code) for code in range(256))
    assert EXIT_CODES["127"] == "Command not found"
    assert set(EXIT_CODES) <= {str(code) for code in range(256)}


@pytest.mark.parametrize("code", range(1, 256))
def test_failure_by_exit_code_counts_under_its_category(code: int) -> None:
    event = event_of(failed(code))

    if code in (129, 130):
        assert (event.status, event.error_category) == ("aborted", "user_aborted")
    else:
        assert (event.status, event.error_category) == ("failed", CATEGORY_OF[code])
        assert event.error.startswith(f"exit code {code}: ")


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Cannot allocate memory; no space left on device", "resource"),
        ("No space left on device; curl: (23) x", "storage"),
        ("Disk quota exceeded", "storage"),
        ("Could not resolve host: x", "network"),
        ("connect: Network is unreachable", "network"),
        ("gnutls_handshake() failed", "network"),
        ("wget: bad address", "network"),
        ("curl: (28) timed out: permission denied", "network"),
        ("connection timed out", "network"),
        ("connection refused: operation not permitted", "network"),
        ("EACCES: x", "permission"),
        ("Operation not permitted; dpkg: error", "permission"),
        ("dpkg: error processing package x", "apt"),
        ("foo: command not found after timeout", "command_not_found"),
        ("timeout in migration", "timeout"),
        ("SQLite is locked", "database"),
        ("something else", "unknown"),
    ],
)
def test_text_decides_where_the_code_says_nothing(text: str, category: str) -> None:
    assert event_of(failed(1, text)).error_category == category
    assert event_of(failed(77, text)).error_category == "permission"


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Connection refused after timeout", "connection refused"),
        ("the request timed out: disk full", "timeout"),
        ("no space left: permission denied", "disk full"),
        ("permission denied: not found", "permission denied"),
        ("apt: not found", "not found"),
        ("apt-get failed: dpkg", "apt"),
        ("captured by dpkg", "dpkg"),
        ("network of docker", "network"),
        ("wget x", "network"),
        ("docker of systemd", "docker"),
        ("systemctl", "systemd"),
        ("Adaptation", OTHER),
        ("", OTHER),
    ],
)
def test_pattern_is_what_an_error_shows_first(text: str, pattern: str) -> None:
    assert pattern_of(text.lower()) == pattern


@given(
    event_type=st.sampled_from(TYPES),
    code=st.integers(0, 255),
    text=st.text(),
    category=st.sampled_from(sorted({"", *CATEGORIES})),
)
def test_failure_is_never_lost_but_for_the_rules(
    event_type: str, code: int, text: str, category: str
) -> None:
    ending = classify(event_type, "failed", code, text, category, zero_is_success=True)

    if code == 0 or event_type in ("addon", "pve"):
        assert ending == ("success", 0, "", "", "")
    else:
        assert ending.status in ("failed", "aborted")
        assert ending.exit_code == code
        assert ending.category


# Anything at all

FIELDS = st.sampled_from(Payload.__struct_fields__)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 300)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([*TYPES, *TERMINAL, "installing", "127", "32G", "", "debian", "ProxmoxVE", "yes"])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
WHOLE = {"random_id": "r", "type": "lxc", "nsapp": "x", "status": "failed"}


@given(st.dictionaries(FIELDS, VALUES, max_size=12), st.booleans(), st.sampled_from(sorted(PATHS.values())))
def test_any_object_gives_an_event_or_a_refusal(fields: dict[str, object], whole: bool, path: str) -> None:
    body = json.dumps({**fields, **WHOLE} if whole else fields).encode()
    if (refusal := refusal_of(body, path)) is not None:
        assert refusal in REFUSALS
    else:
        assert_is_bounded(DIALECT.decode(body, PushContext(RECEIVED_MS, path=path)))


@given(st.binary() | st.text().map(str.encode), st.sampled_from(sorted(PATHS.values())))
def test_any_bytes_give_an_event_or_a_refusal(body: bytes, path: str) -> None:
    if (refusal := refusal_of(body, path)) is not None:
        assert refusal in REFUSALS
    else:
        assert_is_bounded(DIALECT.decode(body, PushContext(RECEIVED_MS, path=path)))


# Broken JSON as shells write it: nothing may be counted as what it is not.

LOG = st.text(
    st.sampled_from('ab1 :,{}[]"\\\n\t\r\x1b/éx') | st.characters(exclude_categories=["Cs"]), max_size=60
)
HOSTILE = st.sampled_from(
    [
        '"status":"success"',
        '","status":"success","exit_code":0,"x":"',
        '{"status": "success", "exit_code": 0}',
        '"}',
        '"exit_code":0',
        "\\x1b[0m",
        "\\",
        '", "error_category": "user_aborted"',
    ]
)


@given(
    log=st.lists(LOG | HOSTILE, max_size=4).map("".join),
    exit_code=st.sampled_from(["127", '"127"', "", '""', "127.0"]),
    unit=st.sampled_from(["", "G", "GB"]),
    separator=st.sampled_from([",", ",\n  "]),
    order=st.permutations(["id", "error", "exit", "size"]),
)
@example('log {"},', "127", "", ",", ["id", "error", "exit", "size"])
@example('","exit_code":0}', "127", "", ",", ["id", "error", "exit", "size"])
def test_broken_json_of_a_failure_never_becomes_something_else(
    log: str, exit_code: str, unit: str, separator: str, order: list[str]
) -> None:
    body = failure_of_a_shell(log, exit_code, unit, separator, order)

    assert_is_that_failure(body)


@given(
    log=LOG,
    exit_code=st.sampled_from(["127", '"127"']),
    separator=st.sampled_from([",", ",\n  "]),
    order=st.permutations(["id", "error", "exit", "size"]),
    cut_off=st.integers(1, 200),
)
def test_body_that_is_cut_off_never_becomes_something_else(
    log: str, exit_code: str, separator: str, order: list[str], cut_off: int
) -> None:
    body = failure_of_a_shell(log, exit_code, "", separator, order)

    assert_is_that_failure(body[:-cut_off])


def failure_of_a_shell(log: str, exit_code: str, unit: str, separator: str, order: list[str]) -> str:
    parts = {
        "id": '"random_id":"r","type":"lxc","nsapp":"x","status":"failed"',
        "error": f'"error":"{log}"',
        "exit": f'"exit_code":{exit_code}',
        "size": f'"disk_size":8{unit}',
    }
    return "{" + separator.join(parts[name] for name in order) + "}"


def assert_is_that_failure(body: str) -> None:
    if (refusal := refusal_of(body.encode())) is not None:
        assert refusal in REFUSALS
        return
    event = event_of(body)
    assert (event.execution, event.app, event.type) == ("r", "x", "lxc")
    assert event.status in ("failed", "aborted")
    assert event.exit_code in (127, None)


@pytest.mark.parametrize(
    "text",
    [
        '"' * 100_000,
        "\\" * 100_000,
        '"disk_size":' * 10_000,
        '" , ' * 50_000,
        '"}' * 50_000 + " " * 50_000 + "x",
    ],
    ids=lambda text: text[:6],
)
def test_hostile_body_takes_time_in_proportion_to_its_length(text: str) -> None:
    """A pattern that starts again at each character takes minutes for these."""
    begun = time.process_time()
    with pytest.raises(MalformedBody, match=r"^invalid (json|payload)$"):
        DIALECT.decode(f'{{"error":"{text}'.encode(), TELEMETRY)

    assert time.process_time() - begun < 5


def test_no_refusal_repeats_what_was_sent() -> None:
    for body in (b"secret", b'{"random_id":"secret"}', b'{"random_id":"secret","status":5}'):
        with pytest.raises(MalformedBody) as refusal:
            DIALECT.decode(body, TELEMETRY)

        assert str(refusal.value) in REFUSALS
        assert refusal.value.__suppress_context__
