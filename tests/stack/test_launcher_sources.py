"""Which of a machine's apt sources are Debian's own, and the same for another suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import debian
from stack.sources import Source, is_debian, other_suite, own, parse_deb822, parse_list, release_of, render

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEB822 = f"""\
# A comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: {KEYRING}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: {KEYRING}

Types: deb
Enabled: no
URIs: http://mirror.example/debian
Suites: sid
Components: main

Types: deb-src
URIs: http://mirror.example/debian
Suites: trixie
Components: main
"""
LISTS = f"""\
# deb http://commented.example/debian sid main
deb [arch=amd64,arm64 signed-by={KEYRING}] http://mirror.example/debian bookworm main contrib # why
deb http://mirror.example/debian bookworm-updates main
deb-src http://mirror.example/debian bookworm main

not a source
"""


def test_deb822_entries_are_read_without_sources_and_switched_off_ones() -> None:
    signed = (("Signed-By", KEYRING),)

    assert parse_deb822(DEB822) == [
        Source(
            ("http://mirror.example/debian",), ("bookworm", "bookworm-updates"), ("main", "contrib"), signed
        ),
        Source(("http://mirror.example/debian-security",), ("bookworm-security",), ("main",), signed),
    ]


def test_one_line_entries_are_read_with_what_says_how_to_trust_them() -> None:
    assert parse_list(LISTS) == [
        Source(
            ("http://mirror.example/debian",),
            ("bookworm",),
            ("main", "contrib"),
            (("Architectures", "amd64 arm64"), ("Signed-By", KEYRING)),
        ),
        Source(("http://mirror.example/debian",), ("bookworm-updates",), ("main",)),
    ]


@pytest.mark.parametrize("text", [DEB822, LISTS], ids=["deb822", "list"])
def test_testing_takes_the_place_of_the_release_and_nothing_else_is_kept(text: str) -> None:
    entries = parse_deb822(text) or parse_list(text)
    [source] = other_suite(entries, "testing")

    assert release_of(entries) == "bookworm"
    assert (source.uris, source.suites, source.components) == (
        ("http://mirror.example/debian",),
        ("testing",),
        ("main",),
    )
    assert dict(source.options)["Signed-By"] == KEYRING


def test_what_is_written_reads_back_the_same_a_key_in_the_text_included() -> None:
    key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINB\n -----END PGP PUBLIC KEY BLOCK-----"
    entries = [
        *own(parse_deb822(DEB822)),
        Source(("http://a.example/debian",), ("trixie",), ("main",), (("Signed-By", key),)),
    ]

    assert parse_deb822(render(entries)) == entries
    assert is_debian(entries[-1])


@pytest.mark.parametrize(
    "line",
    [
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] https://apt.vendor.example bookworm main",
        "deb https://apt.vendor.example bookworm main",
        "deb https://download.vendor.example/linux/debian bookworm stable",
        "deb https://packages.vendor.example/debian/12/prod bookworm main",
        f"deb [signed-by={KEYRING},/etc/apt/keyrings/vendor.gpg] https://apt.vendor.example bookworm main",
    ],
)
def test_a_vendors_entry_is_not_taken_for_debians(line: str) -> None:
    [source] = parse_list(line)

    assert not is_debian(source)


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example/pub/debian/ bookworm main",
        "deb http://snapshot.example/archive/debian/20250520T000000Z bookworm main",
        "deb mirror+file:/etc/apt/mirrors/debian.list bookworm main",
        f"deb [signed-by={KEYRING}] https://proxy.example/artifacts/os bookworm main",
    ],
)
def test_a_mirror_of_debian_is_taken(line: str) -> None:
    [source] = parse_list(line)

    assert is_debian(source)


def test_suites_are_testing_and_then_the_machines_own(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list").write_text("deb https://apt.vendor.example stable main\n")
    suites = debian.suites_of(debian.read_sources(tmp_path))

    assert [suite.name for suite in suites] == ["testing", "bookworm"]
    assert [source.suites for source in suites[1].sources] == [
        ("bookworm", "bookworm-updates"),
        ("bookworm-security",),
    ]


def test_a_machine_without_debian_sources_has_no_suite(tmp_path: Path) -> None:
    assert debian.suites_of(debian.read_sources(tmp_path)) == []


def test_a_machine_that_follows_testing_has_only_that() -> None:
    suites = debian.suites_of(parse_list("deb http://mirror.example/debian testing main"))

    assert [suite.name for suite in suites] == ["testing"]
