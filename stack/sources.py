"""Debian's own entries of this machine's apt sources, and the same for another suite; pure.

The formats are described in sources.list(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

KEPT_OPTIONS = {
    "arch": "Architectures",
    "signed-by": "Signed-By",
    "trusted": "Trusted",
    "check-valid-until": "Check-Valid-Until",
}
"""Options of one-line entries and their deb822 fields: what says how to reach and trust an archive."""

_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)")


class Source(NamedTuple):
    """One entry: where packages are, and how to trust them."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    """deb822 fields in order; a value may have several lines (a key)."""


def parse_deb822(text: str) -> list[Source]:
    """Binary package entries of a `.sources` file, without those that are switched off."""
    return [source for stanza in re.split(r"\n\s*\n", text) for source in _from_stanza(stanza)]


def _from_stanza(stanza: str) -> Iterator[Source]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] = f"{fields.get(name, '')}\n{line}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in {
        "no",
        "false",
    }:
        return
    yield Source(
        uris=tuple(fields.get("uris", "").split()),
        suites=tuple(fields.get("suites", "").split()),
        components=tuple(fields.get("components", "").split()),
        options=tuple(
            (field, fields[field.lower()]) for field in KEPT_OPTIONS.values() if field.lower() in fields
        ),
    )


def parse_list(text: str) -> list[Source]:
    """Binary package entries of a one-line `.list` file."""
    return [source for line in text.splitlines() for source in _from_line(line.partition("#")[0].strip())]


def _from_line(line: str) -> Iterator[Source]:
    match = _LINE.fullmatch(line)
    if match is None:
        return
    options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
    yield Source(
        uris=(match["uri"],),
        suites=(match["suite"],),
        components=tuple(match["components"].split()),
        options=tuple(
            (field, options[name].replace(",", " "))
            for name, field in KEPT_OPTIONS.items()
            if name in options
        ),
    )


def is_debian(source: Source) -> bool:
    """Is this Debian's own archive or a mirror of it, and not a vendor's?

    Vendors use Debian's suite names, too; what tells them apart is the key, and the path where none is named.
    """
    if "main" not in source.components:
        return False
    keys = dict(source.options).get("Signed-By", "")
    if keys and "BEGIN PGP" not in keys:
        return all("debian-archive" in PurePosixPath(key).name for key in keys.split())
    return all(_looks_like_debian(uri) for uri in source.uris)


def _looks_like_debian(uri: str) -> bool:
    """Is the path's last folder an archive's: ``/debian``, ``/debian-security``, or a snapshot of one?"""
    segments = [segment for segment in urlsplit(uri).path.split("/") if segment]
    if segments and re.fullmatch(r"\d{8}T\d{6}Z", segments[-1]):
        segments.pop()
    return bool(segments) and re.fullmatch(r"debian(-.+|\.list)?", segments[-1]) is not None


def own(sources: Iterable[Source]) -> list[Source]:
    """Debian's entries of *sources*, with their suites, and of their components only main."""
    return [source._replace(components=("main",)) for source in sources if is_debian(source)]


def release_of(sources: Iterable[Source]) -> str:
    """The suite that the machine follows, such as ``bookworm``; empty if none can be told."""
    return next((suite for source in own(sources) for suite in source.suites if _is_release(suite)), "")


def other_suite(sources: Iterable[Source], suite: str) -> list[Source]:
    """Debian's entries of *sources* that hold a release (not its updates), changed to *suite*."""
    changed = [
        source._replace(suites=(suite,)) for source in own(sources) if any(map(_is_release, source.suites))
    ]
    return list(dict.fromkeys(changed))


def _is_release(suite: str) -> bool:
    return "-" not in suite and "/" not in suite


def render(sources: Iterable[Source]) -> str:
    """*sources* as the text of a `.sources` file."""
    return "\n".join(_stanza(source) for source in sources)


def _stanza(source: Source) -> str:
    fields = [
        ("Types", "deb"),
        ("URIs", " ".join(source.uris)),
        ("Suites", " ".join(source.suites)),
        ("Components", " ".join(source.components)),
        *source.options,
    ]
    return "".join(f"{name}: {value}\n" for name, value in fields)
