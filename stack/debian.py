"""Downloads Debian packages with apt and unpacks them into a folder; nothing is installed, no root needed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from stack import sources
from stack.errors import StackError
from stack.sources import Source

SOURCES = Path("/etc/apt")
NEEDED = ("apt-get", "apt-cache", "dpkg-deb")
UPDATE_SECONDS = 180
DOWNLOAD_SECONDS = 600

# The machine's own hooks and pins are for its own packages: they stay out. Its proxies and keys stay in.
CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::Contents-deb;
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
APT::Sandbox::User "";
Dir::Etc::sourcelist "{folder}/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""


class Suite(NamedTuple):
    """A release of Debian, as this machine can reach it."""

    name: str
    sources: tuple[Source, ...]


def read_sources(folder: Path | None = None) -> list[Source]:
    """All entries of the machine's apt sources, in both formats; none where there is no apt."""
    folder = folder or SOURCES
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    entries = [entry for path in lists if path.is_file() for entry in sources.parse_list(_text(path))]
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        entries += sources.parse_deb822(_text(path))
    return entries


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def suites_of(entries: Iterable[Source]) -> list[Suite]:
    """Testing, then what the machine itself follows; nothing if *entries* name no Debian archive."""
    entries = list(entries)
    found = [Suite("testing", tuple(sources.other_suite(entries, "testing")))]
    release = sources.release_of(entries)
    if release not in {"", "testing"}:
        found.append(Suite(release, tuple(sources.own(entries))))
    return [suite for suite in found if suite.sources]


class Archive:
    """The packages of one suite, through apt's own programs with lists and state in *folder*."""

    def __init__(self, suite: Suite, folder: Path, say: Callable[[str], None]) -> None:
        self.suite = suite
        self._folder = folder
        self._say = say
        self._updated = False

    def unpack(self, candidates: Iterable[str], destination: Path) -> None:
        """Fill *destination* with the files of the first of *candidates* that the suite has.

        Raises StackError with apt's own last words if none can be had.
        """
        self._update()
        package = next((name for name in candidates if self._has(name)), None)
        if package is None:
            raise StackError(f"Debian {self.suite.name} has no package {' or '.join(candidates)}")
        self._say(f"downloading {package} (Debian {self.suite.name})")
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".unpack-") as temporary:
            folder = Path(temporary)
            self._run("apt-get", "-qq", "download", package, cwd=folder, timeout=DOWNLOAD_SECONDS)
            [archive] = folder.glob("*.deb")
            unpacked = folder / "root"
            _run(["dpkg-deb", "-x", str(archive), str(unpacked)], folder, DOWNLOAD_SECONDS)
            shutil.rmtree(destination, ignore_errors=True)
            unpacked.rename(destination)

    def _update(self) -> None:
        if self._updated:
            return
        self._say(f"reading the package lists of Debian {self.suite.name}")
        for path in ("state/lists/partial", "cache/archives/partial"):
            (self._folder / path).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        (self._folder / "debian.sources").write_text(sources.render(self.suite.sources), encoding="utf-8")
        (self._folder / "apt.conf").write_text(CONFIGURATION.format(folder=self._folder), encoding="utf-8")
        self._run("apt-get", "-qq", "update", cwd=self._folder, timeout=UPDATE_SECONDS)
        self._updated = True

    def _has(self, package: str) -> bool:
        try:
            self._run("apt-cache", "show", package, cwd=self._folder, timeout=UPDATE_SECONDS)
        except StackError:
            return False
        return True

    def _run(self, program: str, *arguments: str, cwd: Path, timeout: float) -> None:
        _run([program, "-c", str(self._folder / "apt.conf"), *arguments], cwd, timeout)


def _run(command: list[str], cwd: Path, timeout: float) -> None:
    """Raises StackError if *command* fails or takes longer than *timeout* seconds."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise StackError(f"{command[0]} is missing") from error
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{command[0]} took longer than {timeout:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise StackError(f"{command[0]} ended with code {done.returncode}: {lines[-1]}", lines[-5:])
