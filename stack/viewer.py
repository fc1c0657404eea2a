"""Builds the pages of the bridge's /dashboard and /docs from their TypeScript sources, when they changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from stack.errors import StackError
from stack.settings import CHECKOUT

SOURCES = "pushgateway-bridge/viewer"
OUTPUT = "pushgateway-bridge/src/pushgateway_bridge/web/viewer"
STAMP = "build/viewer.stamp"
NOT_SOURCES = {"node_modules", "dist"}
BUILD_SECONDS = 600


def build(checkout: Path = CHECKOUT, say: Callable[[str], None] = print) -> bool:
    """Bring the built pages up to date; False if that cannot be done for want of Node.js and its npm.

    Raises StackError if the build fails.
    """
    sources, output, stamp = checkout / SOURCES, checkout / OUTPUT, checkout / STAMP
    if not (sources / "package.json").is_file():
        return True
    digest = digest_of(sources)
    if (output / "index.html").is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return True
    if missing := _missing(sources):
        say(f"{missing}: /dashboard and /docs stay without their pages, all else works")
        return False
    say("building the pages of /dashboard and /docs")
    for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
        _run(command, sources, checkout / "build/viewer.log")
    if not (output / "index.html").is_file():
        raise StackError(f"the build of {SOURCES} left no {OUTPUT}/index.html")
    stamp.write_text(digest_of(sources), encoding="utf-8")
    return True


def _missing(sources: Path) -> str:
    """What is missing to build, and how to get it; empty if nothing is."""
    package = json.loads((sources / "package.json").read_text(encoding="utf-8"))
    needed = package.get("engines", {}).get("node", ">=0").removeprefix(">=")
    if shutil.which("npm") is None or shutil.which("node") is None:
        return f"npm is missing (Node.js {needed} or later brings it: https://nodejs.org)"
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=60, check=False)
    found = done.stdout.strip().removeprefix("v")
    if _numbers(found) < _numbers(needed):
        return f"Node.js {found} is too old (needed: {needed} or later, https://nodejs.org)"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def digest_of(folder: Path) -> str:
    """A hash over the names and contents of all source files in *folder*."""
    digest = hashlib.sha256()
    for path in _source_files(folder):
        name = path.relative_to(folder).as_posix().encode()
        content = path.read_bytes()
        digest.update(b"%d:%s%d:%s" % (len(name), name, len(content), content))
    return digest.hexdigest()


def _source_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in NOT_SOURCES:
            yield from _source_files(path)
        elif path.is_file():
            yield path


def _run(command: list[str], folder: Path, log: Path) -> None:
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        lines = [
            line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
        raise StackError(f"'{' '.join(command)}' in {SOURCES} fails (see {log})", lines[-5:])
