from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pushgateway_bridge.cli import main
from pushgateway_bridge.config import aliases_used, load, stats_secret
from pushgateway_bridge.errors import StartFailed

LISTEN = "PUSHGATEWAY_BRIDGE_WEB_LISTEN_ADDRESS"


def test_a_port_alone_means_every_address() -> None:
    assert load(None, {"PORT": "8080"}, {}).web.listen_address == "0.0.0.0:8080"
    assert aliases_used({"PORT": "8080"}, {}) == ["PORT"]


def test_our_own_variable_and_a_flag_win_over_an_alias() -> None:
    both = {"PORT": "8080", LISTEN: "127.0.0.1:1"}
    assert load(None, both, {}).web.listen_address == "127.0.0.1:1"
    assert aliases_used(both, {}) == []
    flags = {"web.listen_address": "127.0.0.1:2"}
    assert load(None, {"PORT": "8080"}, flags).web.listen_address == "127.0.0.1:2"
    assert aliases_used({"PORT": "8080"}, flags) == []


def test_names_of_the_event_systems_are_ours_too(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yml"
    file.write_text("limits: {rates: {statix: 5/s, minigem: 1/s}}\n")
    environment = {
        "RATE_LIMIT": "30",
        "RATE_LIMIT_MAX": "500",
        "STATS_WINDOW_DAYS": "14",
        "STATS_SECRET": "hush",
        "GEO_DB": "/geo.mmdb",
    }
    config = load(file, environment, {})
    assert config.limits.rates == {"statix": "5/s", "minigem": "500/h", "proxmoxve": "30/m"}
    assert config.minigem.stats_window_days == 14
    assert config.geo.database == "/geo.mmdb"
    assert load(None, {"RATE_LIMIT": "0"}, {}).limits.rates == {"proxmoxve": "unlimited"}
    with pytest.raises(
        StartFailed, match="environment variable RATE_LIMIT: expected a number of pushes, got"
    ):
        load(None, {"RATE_LIMIT": "many"}, {})


def test_origins_are_a_list_with_commas() -> None:
    config = load(None, {"CORS_ORIGINS": "http://localhost:5173, https://status.example"}, {})
    assert config.access.cors_origins == ("http://localhost:5173", "https://status.example")


def test_a_secret_is_in_a_file_or_in_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n")
    named = load(None, {}, {"minigem.stats_secret_file": str(file)})
    assert stats_secret(named, {"STATS_SECRET": "other"}) == "hush"
    assert stats_secret(load(None, {"STATS_SECRET": "hush"}, {}), {"STATS_SECRET": "hush"}) == "hush"
    assert stats_secret(load(None, {}, {}), {}) == ""
    with pytest.raises(StartFailed, match=r"minigem.stats_secret_file /nowhere: No such file"):
        stats_secret(load(None, {}, {"minigem.stats_secret_file": "/nowhere"}), {})


@pytest.mark.parametrize("port", ["x", "65536", "-1", "²", "80 "])
def test_a_port_that_is_none_names_the_variable(port: str) -> None:
    with pytest.raises(StartFailed) as failure:
        load(None, {"PORT": port}, {})
    assert str(failure.value) == f"environment variable PORT: expected a port from 0 to 65535, got {port!r}"


def test_check_config_says_what_a_configuration_means_and_what_is_wrong(tmp_path: object) -> None:
    folder = f"--journal.directory={tmp_path}"
    right = CliRunner().invoke(main, ["check-config", folder])
    assert right.exit_code == 0
    assert "web.listen_address: listens on 127.0.0.1:10091" in right.output
    assert right.output.endswith("the configuration is right\n")

    open_by_accident = CliRunner().invoke(main, ["check-config", folder], env={"PORT": "8080"})
    assert open_by_accident.exit_code == 3
    assert "alias: PORT is web.listen_address" in open_by_accident.output
    assert (
        "error: web.listen_address 0.0.0.0:8080 is reachable from other machines" in open_by_accident.output
    )


def test_check_config_finds_every_part_that_is_wrong_at_once(tmp_path: object) -> None:
    result = CliRunner().invoke(
        main,
        [
            "check-config",
            f"--journal.directory={tmp_path}",
            "--web.config.file=/nowhere.yml",
            "--limits.rates={pixeltracer: 5/s}",
        ],
    )

    assert result.exit_code == 3
    assert "error: web.config_file: /nowhere.yml: cannot read: No such file or directory" in result.output
    assert (
        "error: limits.rates: no dialect is named 'pixeltracer': did you mean 'pixeltracker'?"
        in result.output
    )
