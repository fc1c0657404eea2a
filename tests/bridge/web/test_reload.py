"""Reading the configuration and the tokens again: by POST /-/reload in process, and by SIGHUP of the program."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.config import Config, load
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.web.protocol import BridgeProtocol, ConnectionLimits
from tests.bridge.process import BridgeProcess
from tests.bridge.web.harness import Web
from tests.bridge.web.raw_http import Connection, push

SUCCESSFUL = "telemetry_config_last_reload_successful"
SUCCESS_TIME = "telemetry_config_last_reload_success_timestamp_seconds"
DEADLINE_SECONDS = 60.0


class Reloadable(Web):
    """A bridge whose configuration stands in a file, and an administrator."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.file = directory / "bridge.yml"
        self._flags = {"journal.directory": str(directory / "journal")}
        self.write({})
        self.bridge = Bridge(self._read(), DIALECTS, self._read)
        self.app = self.bridge.web_app()
        self.bridge.tokens.directory.mkdir(parents=True)
        self.admin, self.secret = self.bridge.tokens.create("admin", [Right.ADMIN])

    def _read(self) -> Config:
        return load(self.file, {}, self._flags)

    def write(self, sections: Mapping[str, Any] | str) -> None:
        self.file.write_text(sections if isinstance(sections, str) else yaml.safe_dump(dict(sections)))

    def reload(self, sections: Mapping[str, Any] | str | None = None) -> httpx2.Response:
        """What is answered after *sections* were written, if there are any."""
        if sections is not None:
            self.write(sections)
        return self.request("POST", "/-/reload", headers={"authorization": f"Bearer {self.secret}"})

    def host(self, name: str, **headers: str) -> int:
        return self.push(b'{"name":"%b","cpuC":4}' % name.encode(), **headers).status_code


@pytest.fixture
def process_settings() -> Iterator[None]:
    """A configuration sets what holds for the whole process; put it back."""
    level, limits = logging.getLogger().level, BridgeProtocol.limits
    yield
    logging.getLogger().setLevel(level)
    BridgeProtocol.limits = limits


@pytest.fixture
def web(tmp_path: Path, process_settings: None) -> Iterator[Reloadable]:
    started = Reloadable(tmp_path)
    with started:
        yield started


def accepted(answer: httpx2.Response) -> dict[str, list[str]]:
    assert answer.status_code == 200, answer.text
    found: dict[str, list[str]] = answer.json()
    return found


def test_without_a_change_nothing_changes(web: Reloadable) -> None:
    assert accepted(web.reload()) == {"changed": [], "needs_restart": []}
    assert web.value(SUCCESSFUL) == 1


# What takes effect


def test_limits_of_series_take_effect(web: Reloadable) -> None:
    assert web.host("a") == 200
    assert accepted(web.reload({"limits": {"max_series": 1}}))["changed"] == ["limits.max_series"]

    assert (web.host("a"), web.host("b")) == (200, 429)
    accepted(web.reload({}))
    assert web.host("b") == 200


def test_limits_of_bodies_take_effect(web: Reloadable) -> None:
    accepted(web.reload({"limits": {"body_bytes": {"pixeltracker": 10}}}))
    assert web.host("a") == 413

    accepted(web.reload({}))
    assert web.host("a") == 200


def test_rates_take_effect_and_what_was_pushed_stays_counted(web: Reloadable) -> None:
    rates = {"limits": {"rates": {"pixeltracker": "2/h"}}}
    accepted(web.reload(rates))
    assert [web.host("a") for _ in range(3)] == [200, 200, 429]
    accepted(web.reload({**rates, "log": {"level": "debug"}}))
    assert web.host("a") == 429

    accepted(web.reload({"limits": {"rates": {"pixeltracker": "3/h"}}}))
    assert [web.host("a") for _ in range(4)] == [200, 200, 200, 429]
    accepted(web.reload({}))
    assert web.host("a") == 200


def test_trusted_proxies_take_effect(web: Reloadable) -> None:
    rates = {"limits": {"rates": {"pixeltracker": "1/h"}}}
    accepted(web.reload(rates))
    pushes = [web.host("a", x_forwarded_for=f"203.0.113.{number}") for number in range(2)]
    assert pushes == [200, 429]

    accepted(web.reload({**rates, "access": {"trusted_proxies": ["127.0.0.1"]}}))
    pushes = [web.host("a", x_forwarded_for=f"203.0.113.{number}") for number in (1, 2, 2)]
    assert pushes == [200, 200, 429]


def test_who_must_have_a_token_takes_effect(web: Reloadable) -> None:
    assert web.get("/metrics").status_code == 200
    accepted(web.reload({"access": {"read": "token", "open_protocols": "token"}}))
    assert (web.get("/metrics").status_code, web.host("a")) == (401, 401)
    bearer = f"Bearer {web.secret}"
    assert web.get("/metrics", authorization=bearer).status_code == 200
    assert web.host("a", authorization=bearer) == 200

    accepted(web.reload({}))
    assert (web.get("/metrics").status_code, web.host("a")) == (200, 200)


def test_limits_of_connections_and_the_level_of_the_log_take_effect(web: Reloadable) -> None:
    settings = {"max_connections": 5, "header_timeout_seconds": 2, "body_timeout_seconds": 3}
    answer = accepted(web.reload({"web": settings, "log": {"level": "error"}}))

    assert sorted(answer["changed"]) == sorted(["log.level", *(f"web.{name}" for name in settings)])
    assert BridgeProtocol.limits == ConnectionLimits(5, 75.0, 2.0, 3.0)
    assert logging.getLogger().level == logging.ERROR


def test_the_file_of_tokens_is_read_again(web: Reloadable) -> None:
    text = web.bridge.tokens.file.read_text()
    token, secret = web.bridge.tokens.create("gone", [Right.PUSH])
    assert web.host("a", authorization=f"Bearer {secret}") == 200
    web.bridge.tokens.file.write_text(text)
    assert accepted(web.reload()) == {"changed": [], "needs_restart": []}

    assert web.host("a", authorization=f"Bearer {secret}") == 401
    assert web.value("telemetry_tokens", state="active") == 1
    assert web.bridge.tokens.create("next", [Right.PUSH])[0].id == token.id + 1


# What needs a restart

RESTART = {"journal": {"recent_entries": 7}, "web": {"hot_routes": False}, "access": {"session_seconds": 60}}


def test_what_takes_effect_at_the_next_start_only_is_named(web: Reloadable) -> None:
    answer = accepted(web.reload({**RESTART, "limits": {"max_labels": 9}}))

    assert answer == {
        "changed": ["limits.max_labels"],
        "needs_restart": ["web.hot_routes", "journal.recent_entries", "access.session_seconds"],
    }


def test_what_needs_a_restart_is_named_until_there_was_one(web: Reloadable) -> None:
    first = accepted(web.reload(RESTART))

    assert accepted(web.reload())["needs_restart"] == first["needs_restart"]


def test_what_needs_a_restart_has_no_effect_before(web: Reloadable) -> None:
    web.host("a")
    web.host("b")
    assert accepted(web.reload({"journal": {"recent_entries": 1}}))["changed"] == []

    assert len(web.entries()) == 2


def test_an_address_that_is_not_listened_on_yet_opens_nothing(tmp_path: Path, process_settings: None) -> None:
    def config(address: str) -> Config:
        flags = {
            "journal.directory": str(tmp_path / "journal"),
            "web.listen_address": address,
            "access.open_protocols": "allow",
        }
        return load(None, {}, flags)

    with Web(tmp_path) as web:
        web.bridge.tokens.directory.mkdir(parents=True)
        bridge = Bridge(config("0.0.0.0:10091"), DIALECTS, lambda: config("127.0.0.1:10091"))
        assert bridge.guard.rules.beyond_loopback
        answer = web._runner.run(bridge.reload())

    assert answer.needs_restart == ["web.listen_address"]
    assert bridge.guard.rules.beyond_loopback


# A wrong file

WRONG: dict[str, tuple[Mapping[str, Any] | str, str]] = {
    "no yaml": ("limits: [", "is no YAML"),
    "no sections": ("- 1", "expected sections"),
    "unknown section": ({"limit": {"max_series": 1}}, "did you mean 'limits'?"),
    "unknown key": ({"limits": {"max_serie": 1}}, "did you mean 'max_series'?"),
    "wrong type": ({"limits": {"max_series": "many"}}, "limits.max_series"),
    "out of range": ({"limits": {"max_series": 0}}, "limits.max_series"),
    "no rate": ({"limits": {"rates": {"pixeltracker": "fast"}}}, "limits.rates pixeltracker"),
    "unknown dialect": ({"limits": {"body_bytes": {"pixeltraker": 1}}}, "did you mean 'pixeltracker'?"),
    "no proxy": ({"access": {"trusted_proxies": ["me"]}}, "access.trusted_proxies"),
    "open by accident": ({"web": {"listen_address": "0.0.0.0:10091"}}, "access.open_protocols"),
}


@pytest.mark.parametrize(("sections", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_changes_nothing_and_the_answer_says_why(
    web: Reloadable, caplog: pytest.LogCaptureFixture, sections: Mapping[str, Any] | str, says: str
) -> None:
    accepted(web.reload({"limits": {"max_series": 1}, "access": {"read": "token"}}))
    running = web.bridge.guard.rules, web.bridge.store.new_series.limits
    bearer = f"Bearer {web.secret}"
    answer = web.reload(sections)

    assert answer.status_code == 400
    assert says in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    refused = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(refused) == 1
    assert refused[0].startswith("reload refused, what ran goes on")
    assert (web.bridge.guard.rules, web.bridge.store.new_series.limits) == running
    text = web.get("/metrics", authorization=bearer).text
    assert f"\n{SUCCESSFUL} 0.0\n" in text
    assert (web.host("a"), web.host("b")) == (200, 429)
    assert accepted(web.reload({}))["changed"] == ["access.read", "limits.max_series"]
    assert web.value(SUCCESSFUL) == 1


def test_a_file_that_is_gone_changes_nothing(web: Reloadable) -> None:
    web.file.unlink()
    answer = web.reload()

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        f"configuration file {web.file}: No such file or directory",
    )


def test_a_broken_file_of_tokens_changes_nothing_not_even_the_limits(web: Reloadable) -> None:
    text = web.bridge.tokens.file.read_text()
    web.bridge.tokens.file.write_text(text[:-10])
    answer = web.reload({"limits": {"max_series": 1}})

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"token file {web.bridge.tokens.file}: ")
    assert (web.host("a"), web.host("b")) == (200, 200)
    assert web.value(SUCCESSFUL) == 0
    web.bridge.tokens.file.write_text(text)
    assert accepted(web.reload())["changed"] == ["limits.max_series"]


def test_the_time_of_success_is_that_of_what_runs(web: Reloadable) -> None:
    started = web.value(SUCCESS_TIME)
    assert started is not None
    web.reload("limits: [")
    assert web.value(SUCCESS_TIME) == started
    while time.time() <= started:
        time.sleep(0.001)
    web.reload({})

    reloaded = web.value(SUCCESS_TIME)
    assert reloaded is not None
    assert started < reloaded <= time.time()


@pytest.mark.parametrize("right", [Right.PUSH, Right.READ, Right.DELETE])
def test_only_an_administrator_reloads(web: Reloadable, right: Right) -> None:
    _, secret = web.bridge.tokens.create("other", [right])
    web.write("limits: [")

    assert web.request("POST", "/-/reload").status_code == 401
    answer = web.request("POST", "/-/reload", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 403
    assert web.get("/-/reload").status_code == 405
    assert web.value(SUCCESSFUL) == 1


# The program


def eventually(true: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, message
        time.sleep(0.02)


@pytest.fixture(scope="module", params=["hot", "ordinary"])
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BridgeProcess]:
    directory = tmp_path_factory.mktemp(request.param)
    (directory / "bridge.yml").write_text("")
    with BridgeProcess(
        directory / "journal",
        f"--config.file={directory / 'bridge.yml'}",
        f"--web.hot-routes={'true' if request.param == 'hot' else 'false'}",
        log=directory / "log",
    ) as bridge:
        yield bridge


def hang_up(bridge: BridgeProcess, sections: Mapping[str, Any] | str, expected: str) -> None:
    """Write the file, send SIGHUP, and wait for *expected* in the log."""
    assert bridge.log is not None
    file = bridge.directory.parent / "bridge.yml"
    before = len(bridge.log.read_text())
    file.write_text(sections if isinstance(sections, str) else yaml.safe_dump(dict(sections)))
    bridge.process.send_signal(signal.SIGHUP)
    log = bridge.log
    eventually(lambda: expected in log.read_text()[before:], f"the log does not say {expected!r}")


@pytest.mark.stack
def test_a_signal_reloads_and_a_wrong_file_changes_nothing(program: BridgeProcess) -> None:
    data = push(b'{"name":"a","cpuC":4}')
    with Connection(program.port) as connection:
        for _ in range(3):
            assert connection.ask(data).status == 200
        hang_up(program, {"access": {"open_protocols": "token"}}, "reloaded changed=access.open_protocols")
        assert connection.ask(data).status == 401
        hang_up(program, "access: [", "reload refused, what ran goes on")
        assert connection.ask(data).status == 401
        assert program.series()[SUCCESSFUL] == 0
        hang_up(program, {"journal": {"recent_entries": 9}}, "needs_restart=journal.recent_entries")
        assert connection.ask(data).status == 200
        assert program.series()[SUCCESSFUL] == 1
        hang_up(program, {}, "reloaded changed=nothing")


@pytest.mark.stack
def test_a_smaller_body_limit_holds_on_a_connection_that_is_open(
    program: BridgeProcess,
) -> None:
    data = push(b'{"name":"a","cpuC":4}')
    with Connection(program.port) as connection:
        for _ in range(3):
            assert connection.ask(data).status == 200
        hang_up(program, {"limits": {"body_bytes": {"pixeltracker": 10}}}, "changed=limits.body_bytes")
        status = connection.ask(data).status
        hang_up(program, {}, "changed=limits.body_bytes")

    assert status == 413
