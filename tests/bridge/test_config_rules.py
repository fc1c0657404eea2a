from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.config import AccessConfig, Config, LimitsConfig, WebConfig, load, setting_names
from pushgateway_bridge.config_rules import (
    RELOADED,
    access_rules,
    check_access,
    differing,
    is_loopback,
    series_limits,
)
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import Dialect, TokenNeed
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.state.limits import SeriesLimits
from tests.bridge.events import EVENTS
from tests.bridge.harness import PIXELTRACKER

CLOSED = msgspec.structs.replace(EVENTS, token_need=TokenNeed.BEYOND_LOOPBACK)
OPEN_ONE: Mapping[str, Dialect] = {"pixeltracker": PIXELTRACKER, "events": CLOSED}
ALL_CLOSED: Mapping[str, Dialect] = {"events": CLOSED}
TWO_OPEN: Mapping[str, Dialect] = {"pixeltracker": PIXELTRACKER, "events": EVENTS}


def listening(address: str = "127.0.0.1:1", private: str = "", **access: Any) -> Config:
    web = WebConfig(listen_address=address, private_listen_address=private)
    return Config(web=web, access=AccessConfig(**access))


def refused(config: Config, dialects: Mapping[str, Dialect] = OPEN_ONE) -> str:
    with pytest.raises(StartFailed) as caught:
        check_access(config, dialects)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Open by accident


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"])
def test_on_loopback_the_open_protocols_are_open(address: str) -> None:
    check_access(listening(address), OPEN_ONE)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:1", ":1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "bridge.example:1", "[::ffff:0.0.0.0]:1"],
)
def test_where_others_reach_it_a_bridge_does_not_start_with_them_open(address: str) -> None:
    says = refused(listening(address))

    assert says == (
        f"web.listen_address {address} is reachable from other machines, and pixeltracker needs no token: "
        "listen on 127.0.0.1, or set access.open_protocols to allow, or to token"
    )


def test_the_private_address_is_no_way_around_that() -> None:
    says = refused(listening(private="0.0.0.0:2"))

    assert says.startswith("web.private_listen_address 0.0.0.0:2 is reachable from other machines")


def test_all_that_would_be_open_are_named() -> None:
    assert "pixeltracker, events need no token" in refused(listening(":1"), TWO_OPEN)


@pytest.mark.parametrize("word", ["allow", "token"])
def test_a_word_lets_it_listen_anywhere(word: str) -> None:
    check_access(listening("0.0.0.0:1", "192.0.2.1:2", open_protocols=word), OPEN_ONE)


def test_without_open_protocols_it_may_listen_anywhere() -> None:
    check_access(listening("0.0.0.0:1"), ALL_CLOSED)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.0.3", "::1"])
def test_loopback_is_reached_from_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "169.254.1.1",
        "fe80::1",
        "localhost.example",
        "127.1",
        "Localhost2",
        "127.0.0.1 ",
    ],
)
def test_whatever_is_not_surely_loopback_is_taken_for_reachable(host: str) -> None:
    assert not is_loopback(host)


# What makes no sense


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        pytest.param(
            {"rates": {"pixeltraker": "1/s"}},
            "limits.rates: no dialect is named 'pixeltraker': did you mean 'pixeltracker'?",
            id="misspelt",
        ),
        pytest.param(
            {"body_bytes": {"zzz": 10}},
            "limits.body_bytes: no dialect is named 'zzz': known are pixeltracker, events",
            id="unknown",
        ),
        pytest.param(
            {"rates": {"pixeltracker": "10"}},
            "limits.rates pixeltracker: expected NUMBER/s, /m, /h or /d, such as 600/m, or unlimited, got '10'",
            id="no rate",
        ),
    ],
)
def test_a_limit_that_makes_no_sense_is_named(limits: dict[str, Any], says: str) -> None:
    assert refused(Config(limits=LimitsConfig(**limits))) == says


@pytest.mark.parametrize("network", ["10.0.0.1/8", "proxy", "10.0.0.0/33", "", "10.0.0.0-10.0.0.9"])
def test_a_proxy_that_is_no_address_is_named(network: str) -> None:
    says = refused(listening(trusted_proxies=(network,)))

    assert says.startswith("access.trusted_proxies: ")
    assert repr(network) in says or network in says


# What the parts are told


@pytest.mark.parametrize(
    ("config", "rules"),
    [
        (listening(), AccessRules(False, False, False)),
        (listening(open_protocols="allow"), AccessRules(False, False, False)),
        (listening(open_protocols="token"), AccessRules(True, True, False)),
        (listening(trusted_proxies=("192.0.2.1",)), AccessRules(False, True, False)),
        (listening(read="token"), AccessRules(False, False, True)),
        (listening(":1", open_protocols="allow"), AccessRules(False, True, False)),
        (listening(private="[::]:1", open_protocols="token"), AccessRules(True, True, False)),
    ],
    ids=["default", "allow", "token", "behind a proxy", "read", "beyond", "private beyond"],
)
def test_the_door_is_told_what_the_configuration_means(config: Config, rules: AccessRules) -> None:
    assert access_rules(config) == rules


def test_the_state_is_told_its_limits() -> None:
    limits = LimitsConfig(max_series=9, new_series_per_minute=8, max_labels=7, max_label_value_bytes=16)

    assert series_limits(Config(limits=limits)) == SeriesLimits(9, 8, 7, 16)
    assert series_limits(Config()) == SeriesLimits(1_000_000, 5_000, 40, 1024)


# What a reload changes


def test_every_setting_that_a_reload_changes_is_one() -> None:
    assert set(setting_names()) >= RELOADED


def test_the_settings_that_differ_are_named_in_their_order() -> None:
    before = load(None, {}, {})
    flags = {
        "limits.rates": "{pixeltracker: 1/s}",
        "journal.max_bytes": str(2**30),
        "access.trusted_proxies": "[10.0.0.0/8]",
        "remote_write.remotes": "[{name: a, url: 'http://127.0.0.1:1/w'}]",
    }

    assert differing(before, load(None, {}, flags)) == [
        "journal.max_bytes",
        "remote_write.remotes",
        "access.trusted_proxies",
        "limits.rates",
    ]
    assert differing(load(None, {}, flags), load(None, {}, flags)) == []


def test_the_default_configuration_starts_with_every_dialect() -> None:
    check_access(Config(), DIALECTS)
