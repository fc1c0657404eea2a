"""Dialects that the configuration leaves out: nothing of them is served, and what they brought is not lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.cli import main
from pushgateway_bridge.config import Config, DialectsConfig, JournalConfig, ViewerConfig, load
from pushgateway_bridge.config_rules import enabled_dialects
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import TokenNeed
from pushgateway_bridge.errors import StartFailed
from tests.bridge.harness import DEFAULTS, Harness
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Connection, request

SAMPLES = b'[{"name":"room","value":21.5},{"name":"kept","value":1,"time_to_live_seconds":"keep"}]'
PUSHES: Mapping[str, tuple[str, bytes, str]] = {
    "pixeltracker": ("/api/telemetry", b'{"name":"lab-7","cpuC":4}', "application/json"),
    "pushgateway": ("/metrics/job/backup", b"took 12\n", "text/plain"),
    "samples": ("/api/v1/samples", SAMPLES, "application/json"),
}
"""A push of each dialect that the tests below leave out or not: path, body, content type."""
SERIES = {
    "pixeltracker": 'host_cpu_cores{job="pixeltracker",instance="lab-7",kind="logical"}',
    "pushgateway": 'took{job="backup",instance=""}',
    "samples": 'room{job="samples",instance=""}',
}


class Without(Web):
    """A bridge that does not speak *disabled*."""

    def __init__(self, directory: Path, *disabled: str) -> None:
        super().__init__(directory)
        config = Config(
            journal=JournalConfig(directory=str(directory / "journal")),
            viewer=ViewerConfig(dashboards_directory=str(directory / "dashboards")),
            dialects=DialectsConfig(disabled=disabled),
        )
        self.read: Config = config
        """What a reload finds."""
        self.bridge = Bridge(config, DIALECTS, lambda: self.read)
        self.app = self.bridge.web_app()

    def __enter__(self) -> Without:
        super().__enter__()
        return self

    def statuses(self) -> dict[str, int]:
        """What a push of each dialect is answered."""
        return {
            name: self.push(body, path, content_type=content_type).status_code
            for name, (path, body, content_type) in PUSHES.items()
        }

    def held(self) -> set[str]:
        """The dialects whose series are shown."""
        lines = {line.rsplit(" ", 1)[0] for line in self.get("/metrics").text.splitlines()}
        return {name for name, series in SERIES.items() if series in lines}


# Paths


@pytest.mark.parametrize("disabled", PUSHES)
def test_paths_of_a_disabled_dialect_are_not_there_and_others_work(tmp_path: Path, disabled: str) -> None:
    with Without(tmp_path, disabled) as web:
        statuses = web.statuses()
        held = web.held()
        document = web.get("/api/v1/openapi.json").json()
        text = web.get("/metrics").text

    assert statuses == {name: 404 if name == disabled else 200 for name in PUSHES}
    assert held == PUSHES.keys() - {disabled}
    begins = DIALECTS[disabled].paths
    assert [path for path in document["paths"] if path.startswith(begins)] == []
    assert f'dialect="{disabled}"' not in text


@pytest.mark.parametrize("disabled", PUSHES)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_no_method_is_answered_on_the_paths_of_a_disabled_dialect(
    tmp_path: Path, disabled: str, method: str
) -> None:
    with Without(tmp_path, disabled) as web:
        statuses = {
            path: web.request(method, f"{path}x" if DIALECTS[disabled].paths_go_on else path).status_code
            for path in DIALECTS[disabled].paths
        }

    assert set(statuses.values()) == {404}, statuses


def test_reads_of_a_disabled_dialect_are_not_there(tmp_path: Path) -> None:
    with Without(tmp_path, "pixeltracker", "pushgateway") as web:
        for path in ("/api/telemetry", "/pt/api/telemetry", "/api/v1/metrics", "/api/v1/status"):
            assert web.get(path).status_code == 404, path
        for path in ("/metrics", "/health", "/-/ready", "/api/v1/openapi.json"):
            assert web.get(path).status_code == 200, path


def test_with_every_dialect_disabled_the_bridge_shows_itself(tmp_path: Path) -> None:
    with Without(tmp_path, *DIALECTS) as web:
        assert set(web.statuses().values()) == {404}
        assert web.value("telemetry_series") == 0


@pytest.mark.stack
def test_the_program_answers_404_on_hot_and_ordinary_routes(tmp_path: Path) -> None:
    for way in ("true", "false"):
        flags = ("--dialects.disabled=[samples]", f"--web.hot-routes={way}")
        with BridgeProcess(tmp_path / way, *flags) as bridge:
            told = {name: post(bridge, *push) for name, push in PUSHES.items()}

        assert told == {"pixeltracker": 200, "pushgateway": 200, "samples": 404}


def post(bridge: BridgeProcess, path: str, body: bytes, content_type: str) -> int:
    with Connection(bridge.port) as connection:
        return connection.ask(request("POST", path, f"Content-Type: {content_type}", body=body)).status


# What is in the journal


def test_what_a_disabled_dialect_brought_stays_and_can_be_pushed_again_later(tmp_path: Path) -> None:
    with Without(tmp_path) as web:
        assert set(web.statuses().values()) == {200}
    with Without(tmp_path, "samples", "pushgateway") as web:
        assert web.held() == PUSHES.keys()
        assert web.statuses() == {"pixeltracker": 200, "pushgateway": 404, "samples": 404}
    with Without(tmp_path) as web:
        assert web.held() == PUSHES.keys()
        assert set(web.statuses().values()) == {200}
        assert web.value("telemetry_reports_total", job="samples", instance="") == 2
        assert web.value("telemetry_journal_unreadable_frames_total") == 0


@pytest.mark.parametrize("checkpoint", [True, False], ids=["checkpoint", "records"])
def test_series_of_a_disabled_dialect_expire_and_what_was_to_be_kept_is_kept(
    bridge: Harness, monkeypatch: pytest.MonkeyPatch, checkpoint: bool
) -> None:
    samples = DIALECTS["samples"]
    bridge.push(json.loads(SAMPLES), samples)
    bridge.push([{"name": "short", "value": 1, "time_to_live_seconds": 90}], samples)
    bridge.push({"name": "lab-7", "cpuC": 4})
    if checkpoint:
        bridge.checkpoint()
    for name in ("samples", "pixeltracker"):
        monkeypatch.delitem(DEFAULTS, name)

    bridge.crash()
    assert names(bridge) >= {"room", "kept", "short", "host_cpu_cores"}
    bridge.clock.pass_seconds(120)
    bridge.expire()
    assert {"kept", "short", "host_cpu_cores"} & names(bridge) == {"kept"}
    bridge.clock.pass_seconds(240)
    bridge.expire()
    assert {"kept", "room"} & names(bridge) == {"kept"}

    bridge.crash()
    assert {"kept", "room", "short", "host_cpu_cores"} & names(bridge) == {"kept"}


def names(bridge: Harness) -> set[str]:
    return {series.partition("{")[0] for series in bridge.series()}


def test_a_group_of_a_disabled_dialect_can_be_deleted(
    bridge: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.push([{"name": "kept", "value": 1, "time_to_live_seconds": "keep"}], DIALECTS["samples"])
    monkeypatch.delitem(DEFAULTS, "samples")
    bridge.crash()

    assert bridge.delete("") == 1
    assert "kept" not in names(bridge)


# What is told


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sample", "did you mean 'samples'?"),
        ("pixeltraker", "did you mean 'pixeltracker'?"),
        ("PushGateway", "did you mean 'pushgateway'?"),
        ("xyz", f"known are {', '.join(DIALECTS)}"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one(name: str, hint: str) -> None:
    config = Config(dialects=DialectsConfig(disabled=("samples", name)))

    with pytest.raises(StartFailed) as caught:
        enabled_dialects(config, DIALECTS)

    assert str(caught.value) == f"dialects.disabled: no dialect is named {name!r}: {hint}"


def test_a_reload_refuses_an_unknown_name_and_tells_that_others_need_a_restart(tmp_path: Path) -> None:
    with Without(tmp_path, "samples") as web:
        web.bridge.tokens.directory.mkdir()
        secret = web.bridge.tokens.create("admin", [Right.ADMIN])[1]

        told = []
        for name in ("sampels", "pushgateway"):
            disabled = DialectsConfig(disabled=(name,))
            web.read = msgspec.structs.replace(web.read, dialects=disabled)
            answer = web.request("POST", "/-/reload", headers={"authorization": f"Bearer {secret}"})
            told.append((answer.status_code, answer.json()))
        statuses = web.statuses()

    assert told == [
        (400, {"detail": "dialects.disabled: no dialect is named 'sampels': did you mean 'samples'?"}),
        (200, {"changed": [], "needs_restart": ["dialects.disabled"]}),
    ]
    assert statuses == {"pixeltracker": 200, "pushgateway": 200, "samples": 404}


def test_limits_of_a_disabled_dialect_are_no_mistake(tmp_path: Path) -> None:
    """Whoever switches it off for a while leaves them as they are."""
    flags = [
        "--limits.rates={samples: 5/s}",
        "--limits.body-bytes={samples: 10}",
        "--dialects.disabled=[samples]",
    ]

    result = CliRunner().invoke(main, ["check-config", f"--journal.directory={tmp_path}", *flags])

    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "the configuration is right")


def test_the_names_come_from_file_environment_and_flag(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yml"
    file.write_text("dialects: {disabled: [samples]}\n")
    variable = {"PUSHGATEWAY_BRIDGE_DIALECTS_DISABLED": "[pushgateway]"}

    assert load(file, {}, {}).dialects.disabled == ("samples",)
    assert load(file, variable, {}).dialects.disabled == ("pushgateway",)
    assert load(file, variable, {"dialects.disabled": "[]"}).dialects.disabled == ()


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_commands_refuse_an_unknown_name(tmp_path: Path, command: str) -> None:
    result = CliRunner().invoke(
        main, [command, f"--journal.directory={tmp_path / 'journal'}", "--dialects.disabled=[sampels]"]
    )

    assert result.exit_code == 3
    told = "dialects.disabled: no dialect is named 'sampels': did you mean 'samples'?"
    assert told in result.output + result.stderr
    assert not (tmp_path / "journal").exists()


def test_check_config_takes_known_names_and_does_not_ask_for_a_word_for_what_is_disabled(
    tmp_path: Path,
) -> None:
    """Beyond loopback only the dialects that are served need access.open_protocols."""
    open_ones = [name for name, dialect in DIALECTS.items() if dialect.token_need is TokenNeed.OPEN]
    flags = [f"--journal.directory={tmp_path}", "--web.listen-address=0.0.0.0:10091"]

    without = CliRunner().invoke(main, ["check-config", *flags])
    disabled = CliRunner().invoke(
        main, ["check-config", *flags, f"--dialects.disabled=[{', '.join(open_ones)}]"]
    )

    assert "pixeltracker" in open_ones
    assert (without.exit_code, disabled.exit_code) == (3, 0)
    assert disabled.output.endswith("the configuration is right\n")
