"""The native stack's pieces, without starting it."""

from __future__ import annotations

import configparser
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stack import folder, native, supervision
from stack.configuration import localise
from stack.errors import StackError
from stack.folder import Record
from stack.follow import Follower
from stack.parts import DELIVERY, Part, delivery_of, native_parts, our_programs, part_environment
from stack.settings import PARTS, Address, Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"STACK_DIR": "run"}, tmp_path)


def write_program(path: Path, help_text: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{help_text}'\n")
    path.chmod(0o755)
    return path


def test_compose_service_names_become_addresses_and_other_targets_and_labels_stay() -> None:
    groups: list[dict[str, object]] = [
        {"targets": ["exporter:10100"], "labels": {"instance": "local"}},
        {"targets": ["grafana:3000"]},
        {"targets": ["prometheus:9090", "far.example:9100"], "labels": {"site": "b"}},
    ]
    here = {"exporter": Address("0.0.0.0", 21100), "prometheus": Address("::1", 9090)}

    assert localise(groups, here) == [
        {"targets": ["127.0.0.1:21100"], "labels": {"instance": "local"}},
        {"targets": ["[::1]:9090", "far.example:9100"], "labels": {"site": "b"}},
    ]


def test_every_committed_target_file_has_its_part_and_is_empty_without_it(repository: Path) -> None:
    for part in PARTS:
        groups = yaml.safe_load((repository / f"prometheus/targets/{part}.yml").read_text(encoding="utf-8"))

        assert localise(groups, {}) == []
        assert [group["targets"] for group in localise(groups, {part: Address("127.0.0.1", 1)})] == [
            ["127.0.0.1:1"]
        ]


def test_parts_are_started_with_their_addresses_folders_and_the_features_they_know(
    settings: Settings, tmp_path: Path
) -> None:
    prometheus = write_program(tmp_path / "prometheus", "options: created-timestamp-\nzero-ingestion")
    alertmanager = write_program(tmp_path / "alertmanager", "no such option")
    programs = {
        "exporter": Path("/venv/host-exporter"),
        "bridge": Path("/venv/pushgateway-bridge"),
        "prometheus": prometheus,
        "alertmanager": alertmanager,
    }
    parts = native_parts(settings, programs, grafana=None)
    run = tmp_path / "run"

    assert {part.name: shlex.join(part.command) for part in parts} == {
        "exporter": "/venv/host-exporter serve --web.listen-address 127.0.0.1:10100",
        "bridge": "/venv/pushgateway-bridge serve --web.listen-address 127.0.0.1:10091"
        f" --journal.directory {run}/data/bridge --prometheus.url http://127.0.0.1:9090"
        f" --viewer.dashboards-directory {tmp_path}/grafana/dashboards"
        f" --alerts.webhook-token-hash-file {run}/config/alert-history-token.sha256",
        "prometheus": f"{prometheus} --config.file={run}/config/prometheus/prometheus.yml"
        f" --storage.tsdb.path={run}/data/prometheus --web.listen-address=127.0.0.1:9090"
        " --web.external-url=http://127.0.0.1:9090/ --storage.tsdb.retention.time=30d"
        " --storage.tsdb.retention.size=10GB --enable-feature=created-timestamp-zero-ingestion",
        "alertmanager": f"{alertmanager} --config.file={run}/config/alertmanager/alertmanager.yml"
        f" --storage.path={run}/data/alertmanager --web.listen-address=127.0.0.1:9093"
        " --web.external-url=http://127.0.0.1:9093/ --cluster.listen-address=",
    }


def test_grafana_joins_with_our_provisioning_and_the_bridge_links_to_it(
    settings: Settings, tmp_path: Path
) -> None:
    silent = write_program(tmp_path / "program", "")
    programs = {part: silent for part in PARTS if part != "grafana"}
    parts = {
        part.name: part
        for part in native_parts(settings, programs, (Path("/opt/grafana"), Path("/opt/home")))
    }
    environment = part_environment(settings, "scrape")

    assert parts["grafana"].command == (
        "/opt/grafana",
        "server",
        "--homepath=/opt/home",
        f"--config={tmp_path}/grafana/grafana.ini",
    )
    assert parts["bridge"].command[-2:] == ("--grafana.url", "http://127.0.0.1:3000")
    assert environment["GF_PATHS_PROVISIONING"] == f"{tmp_path}/grafana/provisioning"
    assert environment["PROMETHEUS_URL"] == "http://127.0.0.1:9090"
    assert environment["GRAFANA_DASHBOARDS_DIR"] == f"{tmp_path}/grafana/dashboards"


def test_of_the_env_file_only_what_is_meant_for_a_part_reaches_the_parts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TELEGRAM_BOT_TOKEN=secret\nPUSHGATEWAY_BRIDGE_LOG_LEVEL=debug\n")
    environment = part_environment(load_settings({"HOME": "/home/a"}, tmp_path), "scrape")

    assert environment["PUSHGATEWAY_BRIDGE_LOG_LEVEL"] == "debug"
    assert environment["HOME"] == "/home/a"
    assert "secret" not in environment.values()


RECEIVER = "--web.enable-remote-write-receiver"


@pytest.mark.parametrize(
    ("says", "variable", "delivery"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", None, "scrape"),
        ("prometheus, version 3.0.0 (branch: HEAD)", None, "remote_write"),
        ("prometheus, version 3.5.3+ds1 (branch: debian/sid)", None, "remote_write"),
        ("prometheus, version 3.5.3+ds1 (branch: debian/sid)", "", "remote_write"),
        ("prometheus, version 3.5.3+ds1 (branch: debian/sid)", "scrape", "scrape"),
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", "remote_write", "remote_write"),
        ("built by hand", None, "scrape"),
    ],
)
def test_the_version_of_prometheus_chooses_the_delivery_unless_somebody_did(
    says: str, variable: str | None, delivery: str, tmp_path: Path
) -> None:
    """And Prometheus takes remote write only where the bridge writes."""
    settings = load_settings({} if variable is None else {DELIVERY: variable}, tmp_path)
    prometheus = write_program(tmp_path / "prometheus", says)
    programs = dict.fromkeys(("exporter", "bridge", "alertmanager"), tmp_path / "prometheus")
    parts = native_parts(settings, {**programs, "prometheus": prometheus}, grafana=None)
    command = next(part.command for part in parts if part.name == "prometheus")

    assert delivery_of(settings, prometheus) == delivery
    assert (RECEIVER in command) == (delivery == "remote_write")
    assert part_environment(settings, delivery)[DELIVERY] == delivery


def test_the_delivery_may_stand_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{DELIVERY}=scrape\n")
    prometheus = write_program(tmp_path / "prometheus", "prometheus, version 3.5.3 (branch: HEAD)")

    assert delivery_of(load_settings({}, tmp_path), prometheus) == "scrape"
    assert delivery_of(load_settings({DELIVERY: "remote_write"}, tmp_path), prometheus) == "remote_write"


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", "Prometheus 2.42: "),
        ("built by hand", "Prometheus of unknown version: "),
    ],
)
def test_an_old_prometheus_is_told_in_one_line(says: str, name: str) -> None:
    line = native.scraped_line(says)

    assert line.startswith(f"{name}samples are scraped")
    assert "\n" not in line


def test_a_program_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"host-exporter is missing in .*: run 'make install'"):
        our_programs(tmp_path)


def test_supervisor_reads_back_the_commands_whatever_the_paths_hold(tmp_path: Path) -> None:
    command = ("/a path/with 100% 'quotes'", "--flag=%(here)s", 'double "quoted"')
    text = supervision.configuration_text(
        [Part("bridge", Address("127.0.0.1", 1), command)], tmp_path / "50%"
    )
    # Read as supervisor does: with its own expansion of percent signs, and comments behind values.
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    program = parser["program:bridge"]

    assert shlex.split(program["command"] % {}) == list(command)
    assert program["stdout_logfile"] % {} == str(tmp_path / "50%/logs/bridge.log")
    assert parser["unix_http_server"]["file"] % {} == str(tmp_path / "50%/supervisor.sock")
    assert (program["autorestart"], program["redirect_stderr"]) == ("true", "true")


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"STACK_DIR: .* is too long a path for a socket"):
        supervision.start([], tmp_path / ("deep" * 30), {})


def test_a_taken_port_names_part_address_and_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StackError) as caught:
            native.check_free("prometheus", Address("127.0.0.1", port))

    assert str(caught.value) == (
        f"prometheus: 127.0.0.1:{port} is taken by another program; set PROMETHEUS_ADDRESS to another host:port"
    )
    native.check_free("prometheus", Address("127.0.0.1", port))


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines_is_told(host: str) -> None:
    with pytest.raises(StackError, match=rf"^bridge: {host}:10091 cannot be listened on: .*BRIDGE_ADDRESS"):
        native.check_free("bridge", Address(host, 10091))


def test_a_folder_with_other_files_is_neither_claimed_nor_erased(tmp_path: Path) -> None:
    """Not even one whose names are like ours."""
    settings = load_settings({"STACK_DIR": str(tmp_path / "mine")}, tmp_path)
    (tmp_path / "mine/data").mkdir(parents=True)
    (tmp_path / "mine/data/thesis.txt").write_text("years of work")
    with pytest.raises(StackError, match=r"STACK_DIR: .*mine holds other files \(data\)"):
        folder.claim(settings)

    assert not folder.erase(settings.directory)
    assert (tmp_path / "mine/data/thesis.txt").read_text() == "years of work"


def test_erase_takes_what_a_stack_made_and_leaves_what_a_user_added(settings: Settings) -> None:
    folder.claim(settings)
    (settings.directory / "data/bridge").mkdir()
    (settings.directory / "data/bridge/journal.sqlite").write_text("pushes")
    (settings.directory / "notes.txt").write_text("the user's")

    assert folder.erase(settings.directory)
    assert [path.name for path in settings.directory.iterdir()] == ["notes.txt"]


def test_erase_does_not_follow_a_link(settings: Settings, tmp_path: Path) -> None:
    folder.claim(settings)
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "big-disk/precious").touch()
    (settings.directory / "data").rmdir()
    (settings.directory / "data").symlink_to(tmp_path / "big-disk")
    with pytest.raises(StackError, match="data is a link"):
        folder.erase(settings.directory)

    assert (tmp_path / "big-disk/precious").exists()


def test_the_record_tells_what_was_started_and_a_torn_one_nothing(settings: Settings) -> None:
    folder.claim(settings)
    folder.write_record(settings, "docker")
    expected = Record("docker", {part: str(address) for part, address in settings.addresses.items()})

    assert folder.read_record(settings.directory) == expected
    (settings.directory / "stack.json").write_text('{"mode": "doc')
    assert folder.read_record(settings.directory) is None


def test_a_second_command_on_the_same_folder_is_refused(settings: Settings) -> None:
    folder.claim(settings)

    with (
        folder.alone(settings.directory),
        pytest.raises(StackError, match="another command is starting or ending the stack"),
        folder.alone(settings.directory),
    ):
        pass


@pytest.fixture
def marked_process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process left over by the stack in *tmp_path*."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, supervision.MARK: str(tmp_path)}) as process:
        yield process
        process.kill()


def test_stop_ends_what_a_lost_supervisor_left_and_nothing_of_another_stack(
    marked_process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert not supervision.stop(tmp_path / "other")
    assert marked_process.poll() is None
    assert supervision.stop(tmp_path)
    assert marked_process.wait(5) != 0
    assert not supervision.stop(tmp_path)


def test_up_refuses_while_something_of_an_earlier_run_is_left(
    marked_process: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    settings = load_settings({"STACK_DIR": str(tmp_path)}, Path("/nowhere"))
    with pytest.raises(
        StackError, match=rf"process {marked_process.pid} .* of an earlier run .* 'make down'"
    ):
        native.up(settings, lambda line: None)


def test_log_lines_are_followed_whole_and_through_rotation(tmp_path: Path) -> None:
    path = tmp_path / "bridge.log"
    follower = Follower(path)

    assert follower.new_lines() == []
    path.write_text("".join(f"line {number}\n" for number in range(30)) + "beg")
    assert follower.new_lines() == [f"line {number}" for number in range(10, 30)]
    with path.open("a") as file:
        file.write("un\nnext\n")
    assert follower.new_lines() == ["begun", "next"]
    path.rename(tmp_path / "bridge.log.1")
    path.write_text("anew\n")
    assert follower.new_lines() == ["anew"]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["up"], 1, 'stack: STACK_MODE: expected docker or native, got "neither"\n'),
        (["tools", "nonsense"], 1, "stack: unknown program nonsense: expected prometheus, promtool, "),
        (["fly"], 2, "usage: python -m stack"),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_a_code(
    arguments: list[str], code: int, error: str, repository: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stack", *arguments],
        cwd=repository,
        env={**os.environ, "STACK_MODE": "neither"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(error)
