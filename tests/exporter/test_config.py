from __future__ import annotations

import pytest

from host_exporter.config import (
    ListenAddress,
    enabled_collectors,
    environment_name,
    parse_listen_address,
    parse_telemetry_path,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:10100", ListenAddress("127.0.0.1", 10100)),
        ("localhost:0", ListenAddress("localhost", 0)),
        (":9100", ListenAddress("", 9100)),
        ("[::1]:9100", ListenAddress("::1", 9100)),
    ],
)
def test_an_address_is_read_and_written_the_same(text: str, address: ListenAddress) -> None:
    assert parse_listen_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "9100", "host", "host:", "host:x", "host:65536", "::1:9100", "[::1:9100", "h:-1"]
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT") as error:
        parse_listen_address(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["metrics", "/a?b", "/a b", "/a#b", "/health"])
def test_a_path_that_cannot_be_served_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a path|already served") as error:
        parse_telemetry_path(text, ("/health",))
    assert repr(text) in str(error.value)


def test_a_flag_is_an_environment_variable() -> None:
    assert environment_name("--web.listen-address") == "HOST_EXPORTER_WEB_LISTEN_ADDRESS"


@pytest.mark.parametrize(
    ("switches", "disable_defaults", "enabled"),
    [
        ({}, False, ("a", "b")),
        ({"b": False, "c": True}, False, ("a", "c")),
        ({"a": None, "c": True}, True, ("c",)),
        ({}, True, ()),
    ],
    ids=["defaults", "switched", "only the named", "none"],
)
def test_a_switch_wins_over_the_default(
    switches: dict[str, bool | None], disable_defaults: bool, enabled: tuple[str, ...]
) -> None:
    on_by_default = {"a": True, "b": True, "c": False}

    assert enabled_collectors(on_by_default, switches, disable_defaults) == enabled
