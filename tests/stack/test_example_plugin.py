"""docs/examples/dialect-plugin as its README says: installed, served by a real bridge, refused when it is broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bridge.process import BridgeProcess
from tests.bridge.web.raw_http import Connection, request

pytestmark = pytest.mark.stack

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "docs/examples/dialect-plugin"
README = (EXAMPLE / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, text) for kind, text in BLOCK.findall(README)]
PATH = "/ups/report"
UV = Path(sys.executable).with_name("uv")

Install = Callable[..., Path]


def pushed_body() -> bytes:
    """The body of the README's curl."""
    (command,) = [text for kind, text in BLOCKS if kind == "sh" and "curl" in text]
    assert PATH in command
    body: str = command.split("-d '")[1].rsplit("'", maxsplit=1)[0]
    return body.strip().encode()


def shown_series() -> set[str]:
    (text,) = [text for kind, text in BLOCKS if kind == "text" and "{" in text]
    return set(text.splitlines())


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs the example, with a text of it replaced, into a folder that is then on PYTHONPATH."""

    def run(old: str = "", new: str = "", file: str = "ups_dialect.py") -> Path:
        source, target = tmp_path / "source", tmp_path / "plugins"
        shutil.copytree(EXAMPLE, source)
        changed = source / file
        text = changed.read_text(encoding="utf-8")
        assert old in text
        changed.write_text(text.replace(old, new) if old else text, encoding="utf-8")
        subprocess.run(
            [
                *(UV, "pip", "install", "--quiet", "--offline", "--python", sys.executable),
                *("--no-deps", "--no-build-isolation", "--target", target, source),
            ],
            check=True,
            timeout=120,
        )
        monkeypatch.setenv("PYTHONPATH", str(target))
        return target

    return run


def post(bridge: BridgeProcess, path: str, body: bytes) -> tuple[int, bytes]:
    with Connection(bridge.port) as connection:
        answer = connection.ask(request("POST", path, "Content-Type: application/json", body=body))
        return answer.status, answer.body


def lines_of(bridge: BridgeProcess) -> set[str]:
    return {line for line in bridge.get("/metrics").splitlines() if line.startswith("ups_")}


@pytest.mark.parametrize("hot", ["true", "false"])
def test_a_push_is_taken_shown_and_survives_kill_9(hot: str, install: Install, tmp_path: Path) -> None:
    install()
    log = tmp_path / "log"
    with BridgeProcess(tmp_path / "journal", f"--web.hot-routes={hot}", log=log) as bridge:
        assert post(bridge, PATH, pushed_body()) == (200, b'{"ok":true}')
        assert shown_series() <= lines_of(bridge)
        assert post(bridge, PATH, b'{"host": "rack-3"}')[0] == 400

        bridge.kill()
        bridge.start()

        assert shown_series() <= lines_of(bridge)
        assert post(bridge, PATH, pushed_body())[0] == 200
        assert 'ups_outages_total{job="ups",instance="rack-3",ups="apc-1500",cause="line"} 2.0' in lines_of(
            bridge
        )
    assert "plugin dialect=ups state=loaded origin='ups-dialect 0.1.0: entry point ups" in log.read_text()


def test_the_document_has_its_path_with_the_readmes_body_as_example(install: Install, tmp_path: Path) -> None:
    install()
    with BridgeProcess(tmp_path / "journal") as bridge:
        document = json.loads(bridge.get("/api/v1/openapi.json"))

    push = document["paths"][PATH]["post"]
    assert push["requestBody"]["content"]["application/json"]["example"] == json.loads(pushed_body())
    assert push["tags"] == ["ups"]


def test_check_config_says_what_the_readme_says(install: Install, tmp_path: Path) -> None:
    install()
    (line,) = [text for kind, text in BLOCKS if kind == "text" and text.startswith("plugin:")]

    done = run_command("check-config", tmp_path)

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, line.strip())


def test_its_own_test_passes(install: Install, tmp_path: Path) -> None:
    target = install()
    config = tmp_path / "empty.ini"
    config.write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", config, EXAMPLE / "tests"],
        env={**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)


ORIGIN = "plugin ups-dialect 0.1.0: entry point ups = ups_dialect:DIALECT"


@pytest.mark.parametrize("command", ["serve", "check-config"])
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "PLUGIN_API_VERSION = 1",
            "PLUGIN_API_VERSION = 2",
            "is made for version 2 of the plugin API, and this bridge takes 1",
        ),
        ('"/ups/report"', '"/api/telemetry"', "takes the path /api/telemetry, which is pixeltracker's"),
    ],
    ids=["another version", "a path that is taken"],
)
def test_a_broken_one_keeps_the_bridge_from_starting_and_is_named(
    old: str, new: str, told: str, command: str, install: Install, tmp_path: Path
) -> None:
    install(old, new)

    done = run_command(command, tmp_path)

    assert done.returncode == 3
    assert done.stderr.lower().splitlines() == [f"error: {ORIGIN}: {told}".lower()]
    assert not (tmp_path / "journal").exists()


def test_a_disabled_one_that_is_broken_is_not_looked_at(install: Install, tmp_path: Path) -> None:
    install("PLUGIN_API_VERSION = 1", "raise SystemExit")

    with BridgeProcess(tmp_path / "journal", "--dialects.disabled=[ups]") as bridge:
        assert post(bridge, PATH, pushed_body())[0] == 404


def test_one_that_fails_at_each_push_harms_no_other(install: Install, tmp_path: Path) -> None:
    install("status = _decoder.decode(body)", "status = _decoder.decode(body) and {}[7]")
    log = tmp_path / "log"
    with BridgeProcess(tmp_path / "journal", log=log) as bridge:
        answers = [post(bridge, PATH, pushed_body())[0] for _ in range(3)]
        others = [post(bridge, "/api/telemetry", b'{"name":"lab-7","cpuC":4}')[0] for _ in range(3)]
        series = bridge.series()

    assert (answers, others) == ([500] * 3, [200] * 3)
    assert series['telemetry_pushes_rejected_total{dialect="ups",reason="plugin_failed"}'] == 3
    assert 'host_cpu_cores{job="pixeltracker",instance="lab-7",kind="logical"}' in series
    assert log.read_text().count("level=error") == 1
    assert "KeyError at ups_dialect.py:" in log.read_text()


def run_command(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pushgateway_bridge", command, f"--journal.directory={directory / 'journal'}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
