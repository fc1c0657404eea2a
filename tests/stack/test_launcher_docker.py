"""Docker mode's command lines and answers; no engine is needed, and none is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stack import commands, docker, folder
from stack.errors import StackError
from stack.settings import Settings, load_settings
from stack.status import PartStatus, status_lines

FAKE_DOCKER = """\
#!/bin/sh
echo "$*" >> "{log}"
[ -z "$EXPORTER_ADDRESS" ] || echo "EXPORTER_ADDRESS=$EXPORTER_ADDRESS" >> "{log}"
case "$*" in
  info) {info};;
  *" ps "*) cat "{containers}";;
  *" up "*) {up};;
esac
"""


class FakeDocker:
    """A program `docker` on PATH that writes down how it is called."""

    def __init__(self, folder_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder_ / "calls"
        self.containers = folder_ / "containers.json"
        self.containers.touch()
        self._program = folder_ / "docker"
        monkeypatch.setenv("PATH", f"{folder_}:/bin:/usr/bin")
        monkeypatch.delenv("EXPORTER_ADDRESS", raising=False)
        self.answer()

    def answer(self, info: str = "true", up: str = "true") -> None:
        text = FAKE_DOCKER.format(log=self.log, containers=self.containers, info=info, up=up)
        self._program.write_text(text)
        self._program.chmod(0o755)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    (tmp_path / "docker").mkdir()
    return FakeDocker(tmp_path / "docker", monkeypatch)


@pytest.fixture
def settings(tmp_path: Path, fake_docker: FakeDocker) -> Settings:
    (tmp_path / "checkout").mkdir()
    environment = {"PATH": f"{fake_docker.log.parent}:/bin:/usr/bin", "EXPORTER_ADDRESS": "localhost:21100"}
    return load_settings(environment, tmp_path / "checkout")


def container(service: str, state: str = "running", health: str = "healthy") -> str:
    return json.dumps({"Service": service, "State": state, "Health": health, "Status": f"Up ({health})"})


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("up", "docker compose up --detach --build --wait --wait-timeout 180"),
        ("down", "docker compose down"),
        ("reset", "docker compose down --volumes"),
        ("logs", "docker compose logs --follow --tail 100"),
        ("status", "docker compose ps --all --format json"),
    ],
)
def test_each_action_is_one_compose_command(action: str, line: str, settings: Settings) -> None:
    assert " ".join(docker.command(settings, action)) == line


def test_another_stack_folder_is_another_compose_project(tmp_path: Path) -> None:
    lines = [
        docker.command(load_settings({"STACK_DIR": name}, tmp_path), "down") for name in ("one", "two", "one")
    ]

    assert lines[0][:3] == ["docker", "compose", "--project-name"]
    assert lines[0] == lines[2]
    assert lines[0] != lines[1]


@pytest.mark.parametrize(
    ("mode", "reason", "chosen"),
    [("", "", "docker"), ("", "no engine", "native"), ("native", "", "native"), ("docker", "", "docker")],
)
def test_docker_is_taken_where_it_works_unless_the_setting_says_otherwise(
    mode: str, reason: str, chosen: str, tmp_path: Path
) -> None:
    assert commands.choose_mode(load_settings({"STACK_MODE": mode}, tmp_path), lambda: reason) == chosen


def test_docker_that_is_asked_for_and_does_not_work_is_one_line(
    fake_docker: FakeDocker, settings: Settings, tmp_path: Path
) -> None:
    fake_docker.answer(info="echo warning >&2; echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(StackError) as caught:
        commands.choose_mode(load_settings({"STACK_MODE": "docker"}, tmp_path))

    assert (
        str(caught.value) == "STACK_MODE=docker, but 'docker info' fails: Cannot connect to the Docker daemon"
    )


def test_no_docker_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert docker.unavailable().startswith("docker is not on PATH")


def test_up_starts_and_down_ends_in_the_mode_in_which_it_was_started(
    fake_docker: FakeDocker, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.up(settings) == 0
    fake_docker.answer(info="exit 1")
    fake_docker.containers.write_text(container("bridge"))

    assert commands.down(settings) == 0
    assert fake_docker.calls() == [
        "info",
        "compose version",
        "compose up --detach --build --wait --wait-timeout 180",
        "EXPORTER_ADDRESS=127.0.0.1:21100",
        "compose ps --all --format json",
        "EXPORTER_ADDRESS=127.0.0.1:21100",
        "compose down",
        "EXPORTER_ADDRESS=127.0.0.1:21100",
    ]
    assert "  grafana       http://127.0.0.1:3000/dashboards\n" in capsys.readouterr().out


def test_containers_that_do_not_become_ready_are_taken_down_again(
    fake_docker: FakeDocker, settings: Settings
) -> None:
    fake_docker.answer(up="exit 17")
    with pytest.raises(StackError, match=r"'docker compose up .*' ended with code 17"):
        commands.up(settings)

    assert "compose down" in fake_docker.calls()


def test_a_second_up_changes_nothing(
    fake_docker: FakeDocker, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.up(settings)
    fake_docker.containers.write_text(container("exporter"))
    fake_docker.log.unlink()

    assert commands.up(settings) == 0
    assert [call for call in fake_docker.calls() if " up " in call] == []
    assert "is running; nothing was changed" in capsys.readouterr().out


def test_containers_of_the_wrong_kind_of_settings_are_refused(
    fake_docker: FakeDocker, tmp_path: Path
) -> None:
    settings = load_settings({"STACK_ENV_FILE": "/dev/null"}, tmp_path)
    with pytest.raises(StackError, match="STACK_ENV_FILE: containers read"):
        commands.up(settings)

    assert [call for call in fake_docker.calls() if "up" in call] == []


@pytest.mark.parametrize("form", ["lines", "array"])
def test_status_is_read_from_both_forms_and_leaves_the_one_shot_service_out(form: str) -> None:
    """Docker Compose before 2.21 answers with one array."""
    containers = [
        container("prometheus", health="starting"),
        container("config", "exited", ""),
        container("bridge"),
        container("alertmanager", "exited", ""),
    ]
    text = "\n".join(containers) if form == "lines" else f"[{','.join(containers)}]"
    addresses = {
        part: f"{part}:1" for part in ("exporter", "bridge", "prometheus", "alertmanager", "grafana")
    }

    assert docker.parse_status(text, addresses) == [
        PartStatus("bridge", "ready", "bridge:1", "Up (healthy)", runs=True, ready=True),
        PartStatus("prometheus", "not ready", "prometheus:1", "Up (starting)", runs=True, ready=False),
        PartStatus("alertmanager", "exited", "alertmanager:1", "Up ()", runs=False, ready=False),
    ]
    assert docker.parse_status("", addresses) == []


def test_status_is_one_line_per_part() -> None:
    part = PartStatus("bridge", "ready", "127.0.0.1:10091", "up 0:00:07, pid 7", runs=True, ready=True)

    assert status_lines([part]) == ["  bridge        ready      127.0.0.1:10091        up 0:00:07, pid 7"]


def test_a_failed_choice_leaves_no_trace_of_a_running_stack(fake_docker: FakeDocker, tmp_path: Path) -> None:
    fake_docker.answer(info="exit 1")
    settings = load_settings({"STACK_MODE": "docker"}, tmp_path / "checkout")
    with pytest.raises(StackError, match="STACK_MODE=docker"):
        commands.up(settings)

    record = folder.read_record(settings.directory)
    assert record is not None
    assert commands.status(settings) == 1
