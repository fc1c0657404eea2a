"""The stats service's environment variables, as settings of ours."""

from __future__ import annotations

from typing import Any

import pytest

from host_exporter.cli import make_cli
from host_exporter.collectors import COLLECTORS
from host_exporter.config import parse_listen_address
from host_exporter.logs import LEVELS
from host_exporter.system import aliases

serve = make_cli(COLLECTORS).commands["serve"]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, {}),
        ({"SYSTEM_STATS_HOST": "", "SYSTEM_STATS_PORT": ""}, {}),
        ({"SYSTEM_STATS_PORT": "5002"}, {"--web.listen-address": ("0.0.0.0:5002",)}),
        ({"SYSTEM_STATS_HOST": "127.0.0.1"}, {"--web.listen-address": ("127.0.0.1:5001",)}),
        ({"SYSTEM_STATS_HOST": "::1", "SYSTEM_STATS_PORT": "1"}, {"--web.listen-address": ("[::1]:1",)}),
        ({"SYSTEM_STATS_LOG_LEVEL": "WARNING"}, {"--log.level": "warn"}),
        ({"SYSTEM_STATS_LOG_LEVEL": "info"}, {"--log.level": "info"}),
        ({"SYSTEM_STATS_DISK_PATH": "/data"}, {"--system.disk-path": "/data"}),
    ],
)
def test_each_variable_stands_for_a_flag(environment: dict[str, str], told: dict[str, Any]) -> None:
    found = aliases.translate(environment)

    assert found == told
    for address in found.get("--web.listen-address", ()):
        assert str(parse_listen_address(address)) == address


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SYSTEM_STATS_PORT", "65536"),
        ("SYSTEM_STATS_PORT", "-1"),
        ("SYSTEM_STATS_PORT", "5001/tcp"),
        ("SYSTEM_STATS_DISK_PATH", "data"),
        ("SYSTEM_STATS_DISK_PATH", "~/data"),
    ],
)
def test_a_value_that_is_none_is_refused_by_the_name_of_its_variable(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected .* got '{value}'$"):
        aliases.translate({name: value})


@pytest.mark.parametrize("level", ["critical", "error", "warning", "info", "debug", "trace"])
def test_each_level_of_that_service_is_one_of_ours(level: str) -> None:
    assert aliases.translate({"SYSTEM_STATS_LOG_LEVEL": level})["--log.level"] in LEVELS


def test_those_that_took_effect_are_named() -> None:
    environment = {"SYSTEM_STATS_PORT": "5001", "SYSTEM_STATS_LOG_LEVEL": "debug", "SYSTEM_STATS_HOST": ""}

    assert aliases.used(environment, {"--web.listen-address": True, "--log.level": True}) == [
        "SYSTEM_STATS_PORT",
        "SYSTEM_STATS_LOG_LEVEL",
    ]
    assert aliases.used(environment, {"--web.listen-address": False, "--log.level": True}) == [
        "SYSTEM_STATS_LOG_LEVEL"
    ]


def test_as_the_command_s_defaults_they_yield_to_flags() -> None:
    """The way that they are meant to be passed on: click looks at its default_map last."""
    environment = {"SYSTEM_STATS_PORT": "5001", "SYSTEM_STATS_LOG_LEVEL": "debug"}
    arguments = {option: parameter.name for parameter in serve.params for option in parameter.opts}
    defaults = {arguments[flag]: value for flag, value in aliases.translate(environment).items()}

    context = serve.make_context("serve", ["--log.level", "error"], default_map=defaults)

    assert context.params["log_level"] == "error"
    assert [str(address) for address in context.params["web_listen_address"]] == ["0.0.0.0:5001"]
