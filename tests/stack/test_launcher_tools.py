"""Programs of others: found on PATH, fetched, made to run where they were unpacked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stack import debian, tools
from stack.errors import StackError


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("prometheus, version 3.5.3+ds1 (branch: debian/sid, revision: 3.5.3+ds1-6)", (3, 5, 3)),
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", (2, 42, 0)),
        ("Docker Compose version v2.40.3-3", (2, 40, 3)),
        ("no number", ()),
    ],
)
def test_version_number_is_read_from_the_version_line(line: str, number: tuple[int, ...]) -> None:
    assert tools.version_number(line) == number


@pytest.mark.parametrize(
    ("says", "line"),
    [
        ("prometheus, version 3.5.3+ds1 (branch: debian/sid)", "prometheus, version 3.5.3+ds1"),
        ("A database for time series.", "prometheus"),
    ],
)
def test_a_version_line_names_the_program_also_if_it_has_no_version(
    says: str, line: str, tmp_path: Path
) -> None:
    program = write_program(tmp_path / "prometheus", f"echo '{says}'")

    assert tools.version_line("prometheus", program) == f"{line}: {program}"


def test_a_program_on_path_is_preferred_to_a_fetched_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = write_program(tmp_path / "path/prometheus-alertmanager", "echo alertmanager, version 1.2.3")
    write_program(tmp_path / "tools/bin/alertmanager", "echo alertmanager, version 4.5.6")
    monkeypatch.setenv("PATH", f"{on_path.parent}:/bin:/usr/bin")

    assert tools.find("alertmanager", tmp_path / "tools") == on_path
    assert tools.fetch(["alertmanager"], tmp_path / "tools") == {"alertmanager": on_path}


@pytest.mark.parametrize("text", ["exit 1", "exec /no/such/program", "true"])
def test_a_program_that_does_not_answer_is_not_found(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One built for another C library is there and does not run."""
    write_program(tmp_path / "bin/amtool", text)
    monkeypatch.setenv("PATH", "/bin:/usr/bin")

    assert tools.find("amtool", tmp_path) is None


def test_missing_program_is_named_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(StackError) as caught:
        tools.fetch(["amtool"], tmp_path / "tools", lambda line: None)

    assert str(caught.value) == (
        "amtool is missing and cannot be downloaded here: put it on PATH "
        "(Debian: apt-get install prometheus-alertmanager)"
    )
    assert caught.value.details == ("apt-get is missing: this is no Debian machine",)


FAKE_APT_GET = """\
case "$*" in
  *"{refused}/apt/apt.conf"*) echo "E: no such suite" >&2; exit 100;;
  *" download "*) for name; do :; done; : > "$name.deb";;
esac
"""
FAKE_DPKG_DEB = """\
mkdir -p "$3/usr/bin"
printf '#!/bin/sh\\necho promtool, version 9.9.9\\n' > "$3/usr/bin/promtool"
chmod 755 "$3/usr/bin/promtool"
"""


@pytest.mark.parametrize(("refused", "taken"), [("nothing", "testing"), ("testing", "bookworm")])
def test_the_machines_own_suite_serves_where_testing_cannot_be_had(
    refused: str, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    write_program(programs / "apt-get", FAKE_APT_GET.format(refused=refused))
    write_program(programs / "apt-cache", "true")
    write_program(programs / "dpkg-deb", FAKE_DPKG_DEB)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    sources = tmp_path / "apt/sources.list"
    sources.parent.mkdir()
    sources.write_text("deb http://mirror.example/debian bookworm main\n")
    monkeypatch.setattr(debian, "SOURCES", sources.parent)
    said: list[str] = []
    found = tools.fetch(["promtool"], tmp_path / "tools", said.append)

    assert tools.version(found["promtool"]) == "promtool, version 9.9.9"
    assert found["promtool"].resolve() == tmp_path / "tools" / taken / "promtool/usr/bin/promtool"
    assert f"downloading promtool (Debian {taken})" in said


def test_a_fetched_program_needs_no_network_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = write_program(tmp_path / "bin/promtool", "echo promtool, version 9.9.9")
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    said: list[str] = []

    assert tools.fetch(["promtool"], tmp_path, said.append) == {"promtool": program}
    assert said == []


def test_relocation_keeps_every_length() -> None:
    """A Go program keeps the lengths of its texts apart from them."""
    folder = b"/usr/share/prometheus/alertmanager"
    moved = tools.relocate(b"before" + folder + b"/ui/after", folder)

    assert moved == b"before/proc/self/fd/9" + b"/" * (len(folder) - len(b"/proc/self/fd/9")) + b"/ui/after"


def test_a_program_with_a_folder_compiled_in_finds_it_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = b"/usr/share/telemetry/example"
    monkeypatch.setitem(
        tools.PROGRAMS, "example", tools.Program(("example",), ("example",), compiled_in=folder)
    )
    root = tmp_path / "tools/testing/example"
    program = write_program(root / "usr/bin/example", f'cat {folder.decode()}/words; echo "$1"')
    (root / folder.decode()[1:]).mkdir(parents=True)
    (root / folder.decode()[1:] / "words").write_text("found\n")
    link = tools.install("example", program, root, tmp_path / "tools")
    done = subprocess.run([link, "an argument"], cwd="/", capture_output=True, text=True, check=True)

    assert done.stdout == "found\nan argument\n"


def test_no_browser_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []

    assert not tools.provide_browser(install=False, say=said.append)
    assert said == ["no Chromium: the browser tests are skipped (Debian: apt-get install chromium)"]
