"""What pixelTracker's GET shows of a push: the document as sent, but for addresses, and when it was received. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from pushgateway_bridge.dialects.masking import mask_addresses, mask_text
from pushgateway_bridge.model.timestamps import format_iso8601_ms, parse_iso8601_ms

Document = dict[str, object]

# Node.js names of platforms and architectures, as uname(1) and so node_exporter's dashboards name them.
SYSNAMES: Final[Mapping[str, str]] = {
    "aix": "AIX",
    "android": "Android",
    "darwin": "Darwin",
    "freebsd": "FreeBSD",
    "linux": "Linux",
    "openbsd": "OpenBSD",
    "sunos": "SunOS",
    "win32": "Windows",
}
MACHINES: Final[Mapping[str, str]] = {
    "arm": "arm",
    "arm64": "aarch64",
    "ia32": "i686",
    "loong64": "loongarch64",
    "mips": "mips",
    "mipsel": "mipsel",
    "ppc64": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "x64": "x86_64",
}

# What known agents send as numbers.
NUMBER_FIELDS: Final = frozenset({"cpuC", "cpuL", "tRam", "uRam", "disk"})
NUMBER_SECTIONS: Final[Mapping[str, frozenset[str]]] = {
    "cpu": frozenset({"cores", "load1m"}),
    "memory": frozenset({"totalMB", "usedMB"}),
    "disk": frozenset({"freeMB"}),
}

_encoder = msgspec.json.Encoder()


def make_entry(body: bytes, document: Document, received_ms: int) -> bytes:
    """*document* as one line of JSON: host names as sent, addresses masked, our time received set last.

    *body* is what it was decoded from.
    """
    received_at = format_iso8601_ms(received_ms)
    # What agents really send holds no free text: it need not be masked, nor be written again.
    if holds_no_free_text(document, body):
        return b'%b,"receivedAt":"%b"}' % (body[:-1], received_at.encode())
    return _encoder.encode({**_masked(document), "receivedAt": received_at})


def _masked(document: Document) -> Document:
    shown = {mask_text(key): mask_addresses(value) for key, value in document.items()}
    if isinstance(name := document.get("name"), str):
        shown["name"] = name
    source, masked = document.get("source"), shown.get("source")
    if isinstance(source, dict) and isinstance(masked, dict) and isinstance(source.get("hostname"), str):
        masked["hostname"] = source["hostname"]
    return shown


def holds_no_free_text(document: Document, body: bytes) -> bool:
    """Whether *document* is not empty and has only fields of known agents, each with what belongs there.

    Also that *body* is one line and says nothing else: a key that it has twice is not in *document* twice, and
    shows in the number of quotes.
    """
    quotes = 2 * len(document)
    for key, value in document.items():
        if type(value) in (int, float):
            if key not in NUMBER_FIELDS:
                return False
        elif type(value) is dict:
            of_section = _quotes_of_section(key, value)
            if not of_section:
                return False
            quotes += of_section
        elif type(value) is str and (
            key == "name" or (key == "timestamp" and parse_iso8601_ms(value) is not None)
        ):
            quotes += 2
        else:
            return False
    return bool(document) and body[-1:] == b"}" and b"\n" not in body and body.count(b'"') == quotes


def _quotes_of_section(key: str, section: Document) -> int:
    """How many quotes a section of a known agent is written with; 0 if it is none."""
    if key == "source":
        for name, value in section.items():
            if type(value) is not str or not (
                name == "hostname"
                or (name == "platform" and value in SYSNAMES)
                or (name == "arch" and value in MACHINES)
            ):
                return 0
        return 4 * len(section)
    fields = NUMBER_SECTIONS.get(key, frozenset())
    if all(name in fields and type(value) in (int, float) for name, value in section.items()):
        return 2 * len(section)
    return 0
