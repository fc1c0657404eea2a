"""Requests that somebody might send to do harm, made from a seed, and a run of them against a real bridge."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.bridge.faults.wire import NOTHING, Answer, Wire, post, resident_bytes
from tests.bridge.process import BridgeProcess

PATH: Final = "/api/telemetry"
HOSTS: Final = 20
ADDRESS: Final = "198.51.100.77"
SECRET: Final = "free-text-of-a-stranger"
"""Neither may stand in a label or the log; hosts' names may, so no hostile body has them there."""
MAX_GROWTH_BYTES: Final = 48 * 2**20
MAX_LOG_LINES: Final = 30
"""However many requests came: what a pusher can cause is not logged, or throttled."""
MAX_SOURCE_BYTES: Final = 16 * 1024
"""What one more source may take: a mutation of a host's name is a host to the bridge."""
PUSHED_LABELS: Final = {"job", "instance", "kind", "nodename", "sysname", "machine"}
OWN_LABELS: Final = {"delivery", "dialect", "reason", "result", "state", "status", "version", "le"}
PYTHON_LABELS: Final = {"implementation", "major", "minor", "patchlevel"}
LABELS: Final = PUSHED_LABELS | OWN_LABELS | PYTHON_LABELS
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Hostile(NamedTuple):
    """One request. *cut_off* ends before it is whole: then no answer is an answer too."""

    kind: str
    request: bytes
    cut_off: bool = False


def good_body(chance: random.Random) -> bytes:
    """What an agent sends."""
    body = {
        "source": {"hostname": f"host-{chance.randrange(HOSTS)}", "platform": "linux", "arch": "x64"},
        "cpu": {"cores": chance.randint(1, 64), "load1m": chance.random() * 8},
        "memory": {"totalMB": 4096, "usedMB": chance.randint(0, 4096)},
        "disk": {"freeMB": 1000},
        "timestamp": "2026-02-01T08:00:10.512Z",
    }
    return json.dumps(body).encode()


def hosts_body(chance: random.Random, **fields: object) -> bytes:
    return json.dumps({"name": f"host-{chance.randrange(HOSTS)}", **fields}).encode()


def deep(chance: random.Random) -> Hostile:
    depth = chance.choice((31, 32, 33, 100, 1000, 50_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")))
    depth = min(depth, 100_000 // (len(opening) + len(closing)))
    closed = chance.random() < 0.7
    return Hostile("deep", post(PATH, opening * depth + b"1" + closing * (depth if closed else 0)))


def huge_numbers(chance: random.Random) -> Hostile:
    numbers = (
        "9" * chance.randint(20, 5000),
        "-" + "9" * 400,
        "1e999999",
        "-1e309",
        "1e-999999",
        "0." + "1" * 9999,
    )
    field = chance.choice(("cpuC", "cpuL", "tRam", "uRam", "disk"))
    number = chance.choice((*numbers, "NaN", "Infinity", "-Infinity", "0x10", "1_000", "00", "1e", "--1"))
    return Hostile("number", post(PATH, f'{{"name":"host-1","{field}":{number}}}'.encode()))


def no_utf8(chance: random.Random) -> Hostile:
    bad = chance.choice(
        (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80")
    )
    where = chance.choice((b'{"name":"host-1","x":"%b"}', b'{"%b":1}', b"%b", b'{"name":"host-1"}%b'))
    return Hostile("no utf-8", post(PATH, where % bad))


def surrogates(chance: random.Random) -> Hostile:
    text = chance.choice(
        (r"\ud800", r"\udfff", r"\ud83d\u0041", r"\udc00\ud800", r"\u0000", r"\uZZZZ", r"\x41", "\\")
    )
    where = chance.choice(
        ('{"name":"host-1","x":"%s"}', '{"%s":1}', '{"name":"host-1","timestamp":"%s"}', '["%s"]')
    )
    return Hostile("surrogate", post(PATH, (where % text).encode()))


def control_characters(chance: random.Random) -> Hostile:
    raw = bytes(chance.randrange(32) for _ in range(20))
    where = chance.choice(
        (b'{"name":"host-1","x":"%b"}', b'%b{"name":"host-1"}', b'{"name":"host-1"%b}', b"%b")
    )
    return Hostile("control characters", post(PATH, where % raw))


def bomb(chance: random.Random) -> Hostile:
    size = chance.choice((102_401, 2_000_000, 20_000_000))
    body = chance.choice((b"\0", b" ", b"[", b'{"a":'))
    body = body * (size // len(body))
    if chance.random() < 0.5:
        return Hostile("bomb", post(PATH, gzip.compress(body, 6), "Content-Encoding: gzip"))
    return Hostile("bomb", post(PATH, zlib.compress(body, 6), "Content-Encoding: deflate"))


def broken_compression(chance: random.Random) -> Hostile:
    whole = gzip.compress(good_body(chance))
    body = chance.choice(
        (
            whole[: chance.randrange(len(whole))],
            whole + b"more",
            whole + whole,
            bytes(10) + whole,
            mutated(chance, whole),
            zlib.compress(b"{}"),
            b"",
        )
    )
    coding = chance.choice(("gzip", "x-gzip", "deflate", "GZIP", "br", "gzip, gzip", "\xfc", ""))
    return Hostile("broken compression", post(PATH, body, f"Content-Encoding: {coding}"))


def duplicate_keys(chance: random.Random) -> Hostile:
    keys = [
        '"name":"host-1"',
        '"cpuC":1',
        '"source":{"hostname":"host-2"}',
        '"source":7',
        '"memory":[]',
        '"disk":{}',
    ]
    chosen = ",".join(chance.choice(keys) for _ in range(chance.randint(2, 3000)))
    return Hostile("duplicate keys", post(PATH, f"{{{chosen}}}".encode()))


def giant_keys(chance: random.Random) -> Hostile:
    key = chance.choice(("k", "\\u0041", "\u00e4", ".", "@", "1.", "a@")) * chance.randint(1000, 16_000)
    return Hostile("giant key", post(PATH, f'{{"name":"host-1","{key}":1}}'.encode()))


def many_keys(chance: random.Random) -> Hostile:
    fields = {f"{chance.getrandbits(40):x}": chance.getrandbits(8) for _ in range(chance.randint(100, 4000))}
    return Hostile("many keys", post(PATH, hosts_body(chance, **fields)))


def strangers_text(chance: random.Random) -> Hostile:
    """Addresses and free text wherever a known agent has neither."""
    text = f"{SECRET} {ADDRESS} {chance.getrandbits(64):x}"
    body = hosts_body(
        chance,
        source={"platform": text, "arch": text, "ip": ADDRESS, text: text},
        timestamp=text,
        cpuC=text,
        **{text: text},
    )
    headers = (
        f"User-Agent: {text}",
        f"X-Forwarded-For: {ADDRESS}",
        f"Idempotency-Key: {text}",
        f"Authorization: Bearer {text}",
        f"Cookie: {text}",
    )
    path = chance.choice((PATH, "/pt/api/telemetry", f"{PATH}?{SECRET}={ADDRESS}", f"/{SECRET}/{ADDRESS}"))
    return Hostile("stranger's text", post(path, body, *chance.sample(headers, 2)))


def broken_headers(chance: random.Random) -> Hostile:
    body = good_body(chance)
    length = len(body)
    head = chance.choice(
        (
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nContent-Length: {length + 1}\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {'9' * 40}\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{'f' * 17}\r\n",
            f"POST {PATH} HTTP/9.9\r\nHost: a\r\nContent-Length: {length}\r\n\r\n",
            f"POST {PATH}\r\n\r\n",
            f"POST  HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n",
            f"PWN {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nX-\x00: \x01\x02\r\nContent-Length: {length}\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\n : nothing\r\nContent-Length: {length}\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nX: {'y' * 60_000}\r\nContent-Length: {length}\r\n\r\n",
            f"POST http://[::1/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n",
            f"POST {PATH}\xff%ff%00 HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n",
            f"POST {PATH} HTTP/1.1\r\nContent-Type: \xff\xfe/\x80;charset=\xff\r\nContent-Length: {length}\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x7f" * 50,
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\r\n" * 200,
        )
    )
    # What is wrong may only show when more is awaited, so that the other side must hear that no more comes.
    return Hostile("broken headers", head.encode("latin-1") + body, cut_off=True)


def odd_headers(chance: random.Random) -> Hostile:
    body = good_body(chance)
    headers = (
        f"Idempotency-Key: {'k' * chance.choice((0, 1, 255, 256, 5000))}",
        "Idempotency-Key: \xfc\xff\xe9",
        "Content-Encoding: \xff",
        "Expect: 200-maybe",
        "Upgrade: h2c",
        "Authorization: \xff\xff",
        "Accept-Encoding: gzip;q=zzz",
        "X-Many: 1\r\n" * 500 + "X-Last: 1",
    )
    content_type = chance.choice(
        ("application/json", "text/plain", "a" * 9000, "\xff", ";;;", "application/json;x=\xff")
    )
    return Hostile("odd headers", post(PATH, body, *chance.sample(headers, 2), content_type=content_type))


def cut_off(chance: random.Random) -> Hostile:
    request = post(PATH, good_body(chance))
    return Hostile("cut off", request[: chance.randrange(1, len(request))], cut_off=True)


def too_large(chance: random.Random) -> Hostile:
    size = chance.choice((102_401, 200_000, 1_000_000))
    return Hostile("too large", post(PATH, b" " * size))


def other_methods(chance: random.Random) -> Hostile:
    method = chance.choice(("PUT", "PATCH", "DELETE", "TRACE", "GET", "OPTIONS", "PROPFIND", "LOCK"))
    path = chance.choice(
        (PATH, "/metrics", "/", "/-/ready", "/../../etc/passwd", "/api/v1/dashboards/..%2f..%2fx", "/%00")
    )
    return Hostile("other method", post(path, b"{}").replace(b"POST", method.encode(), 1))


def mutations(chance: random.Random) -> Hostile:
    return Hostile("mutation", post(PATH, mutated(chance, good_body(chance))))


def mutated_requests(chance: random.Random) -> Hostile:
    return Hostile("mutated request", mutated(chance, post(PATH, good_body(chance))), cut_off=True)


def mutated(chance: random.Random, body: bytes) -> bytes:
    """*body* with a few bytes changed, doubled, cut out or moved."""
    changed = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) or 1)
        end = at + chance.randint(1, 12)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                changed[at:at] = changed[at:end]
            case 2:
                del changed[at:end]
            case _:
                changed[at:end] = bytes(reversed(changed[at:end]))
    return bytes(changed)


KINDS: Final[tuple[Callable[[random.Random], Hostile], ...]] = (
    deep,
    huge_numbers,
    no_utf8,
    surrogates,
    control_characters,
    bomb,
    broken_compression,
    duplicate_keys,
    giant_keys,
    many_keys,
    strangers_text,
    broken_headers,
    odd_headers,
    cut_off,
    too_large,
    other_methods,
    mutations,
    mutations,
    mutated_requests,
)


def requests(count: int, seed: int) -> Iterator[Hostile]:
    """*count* of them, all kinds in turn."""
    chance = random.Random(seed)
    for number in range(count):
        yield KINDS[number % len(KINDS)](chance)


class Siege(NamedTuple):
    """What a bridge answered."""

    statuses: Counter[int]
    growth_bytes: int
    sources: int


def besiege(directory: Path, log: Path, count: int, seed: int) -> Siege:
    """Send *count* hostile requests, and a good one after every hundred. What should not happen fails an assertion."""
    with BridgeProcess(directory, log=log) as bridge:
        # Once through all kinds, so that what is imported and remembered at first does not count as growth.
        statuses = Counter(send(bridge, one) for one in requests(10 * len(KINDS), seed + 1))
        resident, sources = resident_bytes(bridge.process.pid), bridge.series()["telemetry_sources"]
        for number, one in enumerate(requests(count, seed)):
            statuses[send(bridge, one)] += 1
            if number % 100 == 99:
                check_alive(bridge, number)
        check_alive(bridge, count)
        growth = resident_bytes(bridge.process.pid) - resident
        more = bridge.series()["telemetry_sources"] - sources
        assert growth < MAX_GROWTH_BYTES + more * MAX_SOURCE_BYTES
        check_labels(bridge.get("/metrics"))
        entries = bridge.get(PATH)
        assert ADDRESS not in entries
        assert isinstance(json.loads(entries), list)
        expected = totals(bridge)
        assert bridge.terminate() == 0
        bridge.start()
        assert totals(bridge) == expected
    said = log.read_text(errors="replace")
    assert "Traceback" not in said
    assert SECRET not in said
    assert ADDRESS not in said
    assert said.count("\n") < MAX_LOG_LINES
    return Siege(statuses, growth, round(more))


def send(bridge: BridgeProcess, hostile: Hostile) -> int:
    """The status of the answer, 0 if there was none and none is due."""
    with Wire(bridge.port) as wire:
        answer = ask(wire, hostile)
    assert bridge.process.poll() is None, hostile
    assert (
        200 <= answer.status < 300 or 400 <= answer.status < 500 or (answer is NOTHING and hostile.cut_off)
    ), (
        hostile.kind,
        answer,
        hostile.request[:500],
    )
    return answer.status


def ask(wire: Wire, hostile: Hostile) -> Answer:
    """A bridge that refuses early closes its side while the rest is still being sent: then its answer counts."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        wire.send(hostile.request)
        if hostile.cut_off:
            wire.finish()
    try:
        return wire.read()
    except ConnectionResetError:
        return NOTHING


def check_alive(bridge: BridgeProcess, number: int) -> None:
    """A good push is taken and shown at once."""
    with Wire(bridge.port) as wire:
        body = json.dumps({"name": "good", "cpuC": number}).encode()
        assert wire.ask(post(PATH, body)).status == 200
    name = 'host_cpu_cores{job="pixeltracker",instance="good",kind="logical"}'
    assert bridge.series()[name] == number


def check_labels(exposition: str) -> None:
    """No label but those we know; none of a stranger's text but in the name that a host gives itself."""
    assert SECRET not in exposition
    assert ADDRESS not in exposition
    for line in exposition.splitlines():
        if not line.startswith("#") and "{" in line:
            labels = dict(_LABEL.findall(line[line.index("{") :]))
            assert labels.keys() <= LABELS, line
            assert labels.get("sysname", "Linux") in SYSTEMS, line
            assert labels.get("machine", "x86_64") in MACHINES, line


SYSTEMS: Final = frozenset(
    ["AIX", "Android", "Darwin", "FreeBSD", "Linux", "OpenBSD", "SunOS", "Windows", "other"]
)
MACHINES: Final = frozenset(
    [
        "arm",
        "aarch64",
        "i686",
        "loongarch64",
        "mips",
        "mipsel",
        "ppc64le",
        "riscv64",
        "s390x",
        "x86_64",
        "other",
    ]
)


def totals(bridge: BridgeProcess) -> dict[str, float]:
    """What does not expire while the bridge restarts."""
    return {
        name: value for name, value in bridge.series().items() if name.startswith("telemetry_reports_total{")
    }
