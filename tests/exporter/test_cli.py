"""The command line up to the point where it serves; a real server is started in test_process.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_exporter import app
from host_exporter.cli import main
from host_exporter.collectors import COLLECTORS
from host_exporter.config import Config, ListenAddress


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that would have been served."""
    configs: list[Config] = []
    monkeypatch.setattr(app, "serve", lambda config, _known: configs.append(config))
    monkeypatch.setattr("host_exporter.logs.configure", lambda level, style: None)
    return configs


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


def test_without_flags_everything_has_its_default(served: list[Config]) -> None:
    assert run("serve") == 0
    assert served == [
        Config(
            listen_addresses=(ListenAddress("127.0.0.1", 10100),),
            telemetry_path="/metrics",
            collectors=tuple(COLLECTORS),
            procfs="/proc",
            sysfs="/sys",
            rootfs="/",
        )
    ]


def test_flags_reach_the_configuration(served: list[Config], tmp_path: Path) -> None:
    addresses = ["--web.listen-address", "127.0.0.1:1", "--web.listen-address", "[::1]:2"]
    paths = [f"--path.{name}={tmp_path}" for name in ("procfs", "sysfs", "rootfs")]

    collectors = [
        "--collector.disable-defaults",
        "--collector.cpu",
        "--no-collector.stat",
        "--collector.time",
    ]

    assert run("serve", *addresses, *paths, *collectors, "--web.telemetry-path", "/m") == 0
    assert served == [
        Config(
            listen_addresses=(ListenAddress("127.0.0.1", 1), ListenAddress("::1", 2)),
            telemetry_path="/m",
            collectors=("cpu", "time"),
            procfs=str(tmp_path),
            sysfs=str(tmp_path),
            rootfs=str(tmp_path),
        )
    ]


def test_every_flag_is_an_environment_variable_and_a_flag_wins(
    served: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_EXPORTER_WEB_LISTEN_ADDRESS", "127.0.0.1:1 127.0.0.1:2")
    monkeypatch.setenv("HOST_EXPORTER_COLLECTOR_CPU", "false")
    monkeypatch.setenv("HOST_EXPORTER_WEB_TELEMETRY_PATH", "/environment")

    assert run("serve", "--web.telemetry-path", "/flag") == 0
    (config,) = served
    assert config.listen_addresses == (ListenAddress("127.0.0.1", 1), ListenAddress("127.0.0.1", 2))
    assert "cpu" not in config.collectors
    assert config.telemetry_path == "/flag"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["serve", "--web.listen-address", "nonsense"], "'--web.listen-address'"),
        (["serve", "--web.telemetry-path", "/health"], "'--web.telemetry-path'"),
        (["serve", "--path.procfs", "/does/not/exist"], "'/does/not/exist'"),
        (["serve", "--collector.nope"], "'--collector.nope'"),
        (["serve", "--log.level", "loud"], "'--log.level'"),
        (["serve", "surplus"], "surplus"),
        (["nope"], "'nope'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_wrong_command_line_is_one_line_that_names_the_thing(
    arguments: list[str], named: str, served: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert served == []
    line, rest = capsys.readouterr().err.split("\n", 1)
    assert line.startswith("host-exporter: ")
    assert named in line
    assert rest == ""


def test_a_wrong_environment_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOST_EXPORTER_COLLECTOR_CPU", "maybe")

    assert run("serve") == 2
    assert "HOST_EXPORTER_COLLECTOR_CPU" in capsys.readouterr().err


def test_a_start_failure_has_its_own_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise app.StartFailureError("cannot listen on 127.0.0.1:1: Permission denied")

    monkeypatch.setattr(app, "serve", fail)
    monkeypatch.setattr("host_exporter.logs.configure", lambda level, style: None)

    assert run("serve") == 3
    assert capsys.readouterr().err == "host-exporter: cannot listen on 127.0.0.1:1: Permission denied\n"


@pytest.mark.parametrize("arguments", [["--version"], ["serve", "--version"]], ids=" ".join)
def test_the_version_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 0
    assert capsys.readouterr().out == f"host-exporter {app.VERSION}\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "Commands:" in capsys.readouterr().err


def test_settings_of_collectors_reach_the_configuration(served: list[Config]) -> None:
    assert run("serve", "--collector.diskstats.device-include=^sd", "--collector.textfile.directory=/a") == 0
    assert served[0].told == {"diskstats": {"device-include": "^sd"}, "textfile": {"directory": "/a"}}


def test_flags_alone_serve_as_those_of_node_exporter_do(served: list[Config]) -> None:
    assert run("--web.telemetry-path=/m") == 0
    assert served[0].telemetry_path == "/m"


@pytest.mark.parametrize("name", ["cpu", "cpu.info"])
def test_a_collector_switched_on_and_off_at_once_is_refused(
    served: list[Config], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("serve", f"--collector.{name}", f"--no-collector.{name}") == 2
    assert served == []
    assert f"--collector.{name} and --no-collector.{name} contradict each other" in capsys.readouterr().err


def test_the_stats_service_variables_are_taken_where_nothing_else_is_told(
    served: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSTEM_STATS_PORT", "5002")
    monkeypatch.setenv("SYSTEM_STATS_DISK_PATH", "/srv")

    assert run("serve") == run("serve", "--web.listen-address=127.0.0.1:1") == 0

    assert [config.listen_addresses for config in served] == [
        (ListenAddress("0.0.0.0", 5002),),
        (ListenAddress("127.0.0.1", 1),),
    ]
    assert [config.disk_path for config in served] == ["/srv", "/srv"]


def test_a_wrong_variable_of_the_stats_service_is_named(
    served: list[Config], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYSTEM_STATS_PORT", "many")

    assert run("serve") == 2
    assert served == []
    assert "SYSTEM_STATS_PORT: expected a port of at most 65535, got 'many'" in capsys.readouterr().err
