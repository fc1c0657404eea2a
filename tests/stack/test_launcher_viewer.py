"""The page's build: only when its sources changed, and never in the way of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import viewer
from stack.errors import StackError

FAKE_NPM = """\
#!/bin/sh
echo "$*" >> "{calls}"
[ "$*" != "run build" ] || {{ {build}; }}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    sources = tmp_path / viewer.SOURCES
    (sources / "src").mkdir(parents=True)
    (sources / "package.json").write_text('{"engines": {"node": ">=20.19"}}')
    (sources / "src/main.ts").write_text("one")
    return tmp_path


def put_npm(checkout: Path, monkeypatch: pytest.MonkeyPatch, build: str = "") -> Path:
    """A program `npm` on PATH that builds an empty page; the file in which it writes down how it is called."""
    page = checkout / viewer.OUTPUT / "index.html"
    calls = checkout / "calls"
    program = checkout / "programs/npm"
    program.parent.mkdir(exist_ok=True)
    build = build or f'mkdir -p "{page.parent}" && touch "{page}"'
    program.write_text(FAKE_NPM.format(calls=calls, build=build))
    program.chmod(0o755)
    put_node(checkout, "20.19.0")
    monkeypatch.setenv("PATH", f"{program.parent}:/bin:/usr/bin")
    return calls


def put_node(checkout: Path, version: str) -> None:
    program = checkout / "programs/node"
    program.write_text(f"#!/bin/sh\necho v{version}\n")
    program.chmod(0o755)


def test_page_is_built_once_and_again_only_after_a_source_changed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = put_npm(checkout, monkeypatch)
    once = ["ci --no-audit --no-fund", "run build"]

    assert viewer.build(checkout, lambda line: None)
    assert viewer.build(checkout, lambda line: None)
    assert calls.read_text().splitlines() == once
    (checkout / viewer.SOURCES / "node_modules").mkdir()
    (checkout / viewer.SOURCES / "node_modules/package.js").touch()
    assert viewer.build(checkout, lambda line: None)
    assert calls.read_text().splitlines() == once
    (checkout / viewer.SOURCES / "src/main.ts").write_text("two")
    assert viewer.build(checkout, lambda line: None)
    assert calls.read_text().splitlines() == once * 2
    (checkout / viewer.OUTPUT / "index.html").unlink()
    assert viewer.build(checkout, lambda line: None)
    assert calls.read_text().splitlines() == once * 3


def test_without_npm_one_line_tells_what_is_missing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    said: list[str] = []

    assert not viewer.build(checkout, said.append)
    assert said == [
        "npm is missing (Node.js 20.19 or later brings it: https://nodejs.org):"
        " /dashboard and /docs stay without their pages, all else works"
    ]


@pytest.mark.parametrize("version", ["18.20.4", "20.9.1"])
def test_an_old_node_is_told_and_not_tried(
    version: str, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12 has 18."""
    calls = put_npm(checkout, monkeypatch)
    put_node(checkout, version)
    said: list[str] = []

    assert not viewer.build(checkout, said.append)
    assert said[0].startswith(f"Node.js {version} is too old (needed: 20.19 or later")
    assert not calls.exists()


def test_a_failing_build_says_what_npm_said(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_npm(checkout, monkeypatch, build="echo 'type error in main.ts'; exit 2")
    with pytest.raises(StackError, match="'npm run build' in pushgateway-bridge/viewer fails") as caught:
        viewer.build(checkout, lambda line: None)

    assert caught.value.details == ("type error in main.ts",)
    assert not (checkout / viewer.STAMP).exists()


def test_without_sources_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert viewer.build(tmp_path, pytest.fail)


def test_moving_text_from_one_file_to_the_next_changes_the_digest(tmp_path: Path) -> None:
    digests = set()
    for first, second in (("ab", "c"), ("a", "bc")):
        (tmp_path / "1").write_text(first)
        (tmp_path / "2").write_text(second)
        digests.add(viewer.digest_of(tmp_path))

    assert len(digests) == 2
