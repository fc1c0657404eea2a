"""The real Alertmanager with the shipped configuration, for tests of what it tells."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeVar

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stack import debian, tools
from stack.debian import Archive
from stack.errors import StackError
from tests.ports import free_port
from tests.stack.programs import find

REPOSITORY: Final = Path(__file__).resolve().parents[3]
TEMPLATE: Final = REPOSITORY / "alertmanager/alertmanager.yml"
START_SECONDS: Final = 30
DELIVERY_SECONDS: Final = 30
UNITS: Final = {"s": 1, "m": 60, "h": 3600}
TIMES: Final = ("group_wait", "group_interval", "repeat_interval")

Found = TypeVar("Found")


class Programs(NamedTuple):
    """Alertmanager and its tool, of one release."""

    alertmanager: Path
    amtool: Path


def newest() -> Programs:
    """Those that the stack runs."""
    return Programs(find("alertmanager"), find("amtool"))


def own() -> Programs:
    """Those of the machine's own Debian release, which the stack runs where testing cannot be had.

    The test is skipped if these cannot be had either; CI must have them.
    """
    try:
        return _own()
    except StackError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def _own() -> Programs:
    suites = debian.suites_of(debian.read_sources())
    if len(suites) < 2:
        raise StackError("this machine follows no release of Debian but testing")
    folder = tools.FOLDER / suites[-1].name
    root = folder / "prometheus-alertmanager"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            Archive(suites[-1], folder / "apt", print).unpack(["prometheus-alertmanager"], root)
        found = {}
        for name, file in {"alertmanager": "prometheus-alertmanager", "amtool": "amtool"}.items():
            link = folder / "bin" / name
            # One that is there may be running, and is not written anew.
            found[name] = (
                link if link.exists() else tools.install(name, root / "usr/bin" / file, root, folder)
            )
    if not all(tools.version(path) for path in found.values()):
        raise StackError(f"Alertmanager of Debian {suites[-1].name} does not run on this machine")
    return Programs(**found)


GENERATIONS: Final[Mapping[str, Callable[[], Programs]]] = {"newest": newest, "own": own}

DELIVERING: Final = tuple(GENERATIONS) if os.environ.get("EVERY_GENERATION") == "1" else ("newest",)
"""Of which generation the slow tests see every message arrive. The other one's configuration is always loaded."""


def wait_for(what: str, find_it: Callable[[], Found | None], seconds: float = DELIVERY_SECONDS) -> Found:
    """What *find_it* gives once it gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find_it():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {seconds} s")


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def render(folder: Path, settings: Mapping[str, str], template: Path | None = None) -> Path:
    """The shipped configuration, or *template*, filled with *settings* and nothing else, its templates beside it."""
    shutil.copytree(REPOSITORY / "alertmanager/templates", folder / "templates")
    rendered = folder / "alertmanager.yml"
    text = rendered_text((template or TEMPLATE).read_text(encoding="utf-8"), tuple(settings.items()))
    rendered.write_text(text, encoding="utf-8")
    return rendered


@cache
def rendered_text(template: str, settings: tuple[tuple[str, str], ...]) -> str:
    """*template* as the command fills it; its start is what takes long, so it is asked once."""
    with TemporaryDirectory() as folder:
        source, output = Path(folder) / "template.yml", Path(folder) / "rendered.yml"
        source.write_text(template, encoding="utf-8")
        subprocess.run(
            [
                *(sys.executable, "-m", "pushgateway_bridge", "render-config"),
                *("--template", source, "--output", output),
            ],
            env={"PATH": os.environ["PATH"], **dict(settings)},
            check=True,
        )
        return output.read_text(encoding="utf-8")


def seconds_of(duration: str) -> float:
    """Of ``1m30s``."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


def hurry(config: Any, divisor: int = 100) -> None:
    """Divide every time of *config*'s routes, so that they keep their proportions."""
    for route in routes_of(config["route"]):
        for name in TIMES:
            if name in route:
                route[name] = f"{round(1000 * seconds_of(route[name]) / divisor)}ms"


def routes_of(route: Any) -> Iterator[Any]:
    """*route* and all below it."""
    yield route
    for child in route.get("routes", ()):
        yield from routes_of(child)


def receiver_of(config: Any, name: str) -> Any:
    """The receiver called *name*, to be changed."""
    [receiver] = [one for one in config["receivers"] if one["name"] == name]
    return receiver


def alert(name: str, *, resolved: bool = False, **labels: str) -> dict[str, Any]:
    """An alert as Prometheus posts it, a warning by default; its texts name what it is about."""
    about = labels.get("instance", "")
    now = datetime.now(UTC).isoformat()
    return {
        "labels": {"alertname": name, "severity": "warning", **labels},
        "annotations": {"summary": f"{name} of {about}", "description": f"{name}: {about} is in trouble"},
        **({"endsAt": now} if resolved else {"startsAt": now}),
    }


class Alertmanager:
    """A running one."""

    def __init__(self, address: str, log: Path) -> None:
        self.url = f"http://{address}"
        self.log = log

    def post(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Have *alerts* fire, or end if they have an end."""
        answer = requests.post(f"{self.url}/api/v2/alerts", json=list(alerts), timeout=5)
        assert answer.ok, answer.text

    def alerts(self) -> list[Any]:
        """All that it knows, told or not."""
        answer: list[Any] = requests.get(f"{self.url}/api/v2/alerts", timeout=5).json()
        return answer

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series called *name* that have *labels*."""
        text = requests.get(f"{self.url}/metrics", timeout=5).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@contextmanager
def running(command: list[str | Path], log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """*command* from the time it answers at *ready*; its output is shown if it does not."""
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for(f"{log.stem} ready", lambda: process.poll() is not None or answers(ready), START_SECONDS)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


@contextmanager
def started(programs: Programs, config: Path, address: str = "") -> Iterator[Alertmanager]:
    """An Alertmanager with *config*, its data beside that."""
    address = address or f"127.0.0.1:{free_port()}"
    log = config.with_suffix(".log")
    command: list[str | Path] = [
        programs.alertmanager,
        f"--config.file={config}",
        f"--storage.path={config.parent / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with running(command, log, f"http://{address}/-/ready"):
        yield Alertmanager(address, log)
