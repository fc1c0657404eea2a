"""The programs of others that the stack runs: from PATH, else from Debian packages in `.tools/`."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from stack import debian
from stack.debian import Archive
from stack.errors import StackError
from stack.settings import CHECKOUT

FOLDER = CHECKOUT / ".tools"
VERSION_SECONDS = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Program(NamedTuple):
    """A program and where Debian has it."""

    names: tuple[str, ...]
    """File names under which it is found, on PATH and in its package."""
    packages: tuple[str, ...]
    """Debian packages that may hold it: the first that a suite has is taken."""
    version_argument: str = "--version"
    compiled_in: bytes = b""
    """A folder whose path stands in the program; it must be found where the package was unpacked."""


PROGRAMS = {
    # Debian's reads its page and Alertmanager its default templates from fixed folders, not from themselves.
    "prometheus": Program(("prometheus",), ("prometheus",), compiled_in=b"/usr/share/prometheus/web"),
    # A package of its own since Prometheus 3.
    "promtool": Program(("promtool",), ("promtool", "prometheus")),
    "alertmanager": Program(
        ("alertmanager", "prometheus-alertmanager"),
        ("prometheus-alertmanager",),
        compiled_in=b"/usr/share/prometheus/alertmanager",
    ),
    "amtool": Program(("amtool",), ("prometheus-alertmanager",)),
    "docker-compose": Program(("docker-compose",), ("docker-compose",), version_argument="version"),
    "node_exporter": Program(("node_exporter", "prometheus-node-exporter"), ("prometheus-node-exporter",)),
    "pushgateway": Program(("pushgateway", "prometheus-pushgateway"), ("prometheus-pushgateway",)),
    # Debian's says nothing when it is asked for its version.
    "victoria-metrics": Program(
        ("victoria-metrics", "victoria-metrics-prod"), ("victoria-metrics",), version_argument="--help"
    ),
}
STACK_PROGRAMS = ("prometheus", "promtool", "alertmanager", "amtool")

# Path of an open folder whatever its name is: short enough to take the place of any compiled-in path.
FOLDER_DESCRIPTOR = b"/proc/self/fd/9"
WRAPPER = """\
#!/bin/sh
# Debian's program looks for its files in {compiled_in}; here it finds them by descriptor 9.
tools=${{0%/*}}/..
exec 9<"$tools/{package}{compiled_in}"
exec "$tools/{program}" "$@"
"""


def find(name: str, folder: Path = FOLDER) -> Path | None:
    """The program called *name* in PROGRAMS, from PATH or fetched earlier; None if it does not answer."""
    program = PROGRAMS[name]
    on_path = (shutil.which(alias) for alias in program.names)
    candidates = [Path(path) for path in on_path if path is not None]
    fetched = folder / "bin" / name
    if fetched.exists():
        candidates.append(fetched)
    return next((path for path in candidates if version(path, program.version_argument)), None)


def version(path: Path, argument: str = "--version") -> str:
    """The first line that the program says about its version; empty if it does not run here."""
    try:
        done = subprocess.run(
            [path, argument],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0:
        return ""
    # Older Go programs write it to standard error.
    return next(iter((done.stdout.strip() or done.stderr.strip()).splitlines()), "")


def version_line(name: str, path: Path) -> str:
    """``prometheus, version 3.5.3: /usr/bin/prometheus``, of the program called *name* in PROGRAMS.

    Its name alone if it does not tell its version.
    """
    line = version(path, PROGRAMS[name].version_argument).split(" (")[0]
    return f"{line if version_number(line) else name}: {path}"


def version_number(text: str) -> tuple[int, ...]:
    """The number in a version line: ``(3, 5, 3)`` of ``prometheus, version 3.5.3+ds1 (branch: …)``.

    Empty if there is none.
    """
    for word in text.replace("v", " ").split():
        digits = word.split("+")[0].split("-")[0].strip(",").split(".")
        if len(digits) > 1 and all(digit.isdigit() for digit in digits):
            return tuple(int(digit) for digit in digits)
    return ()


def fetch(names: Iterable[str], folder: Path = FOLDER, say: Callable[[str], None] = print) -> dict[str, Path]:
    """The programs called *names*, downloaded where they are not here yet.

    Raises StackError, naming the first program that cannot be had, why, and how to get it.
    """
    names = tuple(names)
    found = _find_all(names, folder)
    if len(found) == len(names):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        reasons = _download([name for name in names if find(name, folder) is None], folder, say)
    found = _find_all(names, folder)
    missing = next((name for name in names if name not in found), None)
    if missing is not None:
        raise StackError(
            f"{missing} is missing and cannot be downloaded here: put it on PATH "
            f"(Debian: apt-get install {PROGRAMS[missing].packages[-1]})",
            reasons,
        )
    return found


def _find_all(names: Iterable[str], folder: Path) -> dict[str, Path]:
    found = {name: find(name, folder) for name in names}
    return {name: path for name, path in found.items() if path is not None}


def _download(names: Sequence[str], folder: Path, say: Callable[[str], None]) -> list[str]:
    """Fetch *names* from the first suite whose programs run here; why what is left could not be had."""
    absent = [program for program in debian.NEEDED if shutil.which(program) is None]
    if absent:
        return [f"{absent[0]} is missing: this is no Debian machine"]
    suites = debian.suites_of(debian.read_sources())
    if not suites:
        return [f"no entry of Debian's own archive in {debian.SOURCES}"]
    reasons: list[str] = []
    for suite in suites:
        left = [name for name in names if not (folder / "bin" / name).exists()]
        archive = Archive(suite, folder / suite.name / "apt", say)
        try:
            reasons += [reason for name in left if (reason := _fetch_one(name, archive, folder))]
        except StackError as error:
            reasons.append(str(error))
            say(f"Debian {suite.name} cannot be had: {error}")
    return reasons


def _fetch_one(name: str, archive: Archive, folder: Path) -> str:
    """Empty if the program *name* of *archive* runs here, and then it stands in `bin`; else why not."""
    program = PROGRAMS[name]
    suite = archive.suite.name
    root = next((root for root in _roots(program, folder / suite) if _in_package(program, root)), None)
    if root is None:
        root = folder / suite / program.packages[0]
        archive.unpack(program.packages, root)
    file = _in_package(program, root)
    if file is None:
        return f"the package {root.name} of Debian {suite} holds no {name}"
    link = install(name, file, root, folder)
    if version(link, program.version_argument):
        return ""
    link.unlink()
    return f"{name} of Debian {suite} does not run on this machine"


def _roots(program: Program, folder: Path) -> Iterator[Path]:
    return (folder / package for package in program.packages)


def _in_package(program: Program, root: Path) -> Path | None:
    places = (
        root / place / alias
        for place in ("usr/bin", "usr/libexec/docker/cli-plugins")
        for alias in program.names
    )
    return next((path for path in places if path.is_file()), None)


def install(name: str, file: Path, root: Path, folder: Path) -> Path:
    """Put the unpacked *file* into `bin` under *name*: a link, or a script if it has a path compiled in."""
    link = folder / "bin" / name
    link.parent.mkdir(exist_ok=True)
    new = link.with_name(f".{name}.new")
    new.unlink(missing_ok=True)
    compiled_in = PROGRAMS[name].compiled_in
    if compiled_in:
        relocated = file.with_name(f"{file.name}.relocated")
        relocated.write_bytes(relocate(file.read_bytes(), compiled_in))
        relocated.chmod(0o755)
        script = WRAPPER.format(
            compiled_in=compiled_in.decode(),
            package=root.relative_to(folder),
            program=relocated.relative_to(folder),
        )
        new.write_text(script, encoding="utf-8")
        new.chmod(0o755)
    else:
        new.symlink_to(os.path.relpath(file, link.parent))
    new.replace(link)
    return link


def relocate(program: bytes, compiled_in: bytes) -> bytes:
    """*program* with the folder *compiled_in* replaced by descriptor 9, padded with slashes to its length.

    A program keeps the lengths of its texts apart from them, so the length must not change.
    """
    return program.replace(compiled_in, FOLDER_DESCRIPTOR.ljust(len(compiled_in), b"/"))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands that fetch at once would unpack over each other."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_browser() -> Path | None:
    """A Chromium on PATH."""
    return next((Path(path) for name in BROWSERS if (path := shutil.which(name)) is not None), None)


def find_strace() -> Path | None:
    """An strace on PATH."""
    path = shutil.which("strace")
    return None if path is None else Path(path)


def provide_browser(*, install: bool, say: Callable[[str], None] = print) -> bool:
    """Is there a Chromium? If not and *install*, Debian's is installed system-wide (for CI machines only).

    Raises StackError if that fails.
    """
    return _provide(find_browser, "chromium", "Chromium: the browser tests are", install, say)


def provide_strace(*, install: bool, say: Callable[[str], None] = print) -> bool:
    """The same for strace, which looks on while the bridge writes."""
    return _provide(find_strace, "strace", "strace: the test of its fsyncs is", install, say)


def _provide(
    find_it: Callable[[], Path | None], package: str, missed: str, install: bool, say: Callable[[str], None]
) -> bool:
    path = find_it()
    if path is None and install and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {package}")
        for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(["apt-get", "-qq", *command], check=False, stdin=subprocess.DEVNULL)
            if done.returncode != 0:
                raise StackError(f"{package} is missing: 'apt-get install {package}' failed")
        path = find_it()
    if path is None:
        say(f"no {missed} skipped (Debian: apt-get install {package})")
        return False
    say(f"{path}: {version(path) or 'does not answer --version'}")
    return True
