"""What the configuration means for who may do what, and the limits; what of it a running bridge can change."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.config import Config, setting_names, setting_value, split_address
from pushgateway_bridge.dialects.dialect import Dialect, TokenNeed
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.state.limits import SeriesLimits
from pushgateway_bridge.web.rate import parse_networks, rates_of

RELOADED: Final = frozenset(
    {
        "access.open_protocols",
        "access.read",
        "access.trusted_proxies",
        "limits.body_bytes",
        "limits.inflated_bytes",
        "limits.max_items",
        "limits.max_nesting",
        "limits.rates",
        "limits.max_series",
        "limits.new_series_per_minute",
        "limits.paced_pushes_per_second",
        "limits.max_labels",
        "limits.max_label_value_bytes",
        "log.level",
        "web.max_connections",
        "web.header_timeout_seconds",
        "web.body_timeout_seconds",
    }
)
"""Settings that take effect at a reload; the others at the next start."""


def enabled_dialects(config: Config, dialects: Mapping[str, Dialect]) -> dict[str, Dialect]:
    """*dialects* without those that the configuration leaves out. Raises StartFailed for one that is not known."""
    for name in config.dialects.disabled:
        if name not in dialects:
            raise StartFailed(_unknown_dialect("dialects.disabled", name, dialects))
    return {name: one for name, one in dialects.items() if name not in config.dialects.disabled}


def check_access(config: Config, dialects: Mapping[str, Dialect]) -> None:
    """Raises StartFailed if everybody could push from elsewhere and nobody said so, or a setting makes no sense.

    *dialects* are all that are known: a disabled one may have its limits.
    """
    refuse_open_by_accident(config, enabled_dialects(config, dialects))
    for setting, named in (
        ("limits.rates", config.limits.rates),
        ("limits.body_bytes", config.limits.body_bytes),
    ):
        for name in named:
            if name not in dialects:
                raise StartFailed(_unknown_dialect(setting, name, dialects))
    rates_of(config.limits.rates, {})
    parse_networks(config.access.trusted_proxies, "access.trusted_proxies")


def _unknown_dialect(setting: str, name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
    return f"{setting}: no dialect is named {name!r}: {hint}"


def refuse_open_by_accident(config: Config, dialects: Mapping[str, Dialect]) -> None:
    """Raises StartFailed if everybody could push from elsewhere and nobody said so."""
    if config.access.open_protocols != "loopback":
        return
    for setting, address in listen_addresses(config).items():
        if is_loopback(split_address(address, setting)[0]):
            continue
        open_ones = [name for name, dialect in dialects.items() if dialect.token_need is TokenNeed.OPEN]
        if open_ones:
            raise StartFailed(
                f"{setting} {address} is reachable from other machines, and {', '.join(open_ones)} "
                f"need{'s' if len(open_ones) == 1 else ''} no token: listen on 127.0.0.1, or set "
                "access.open_protocols to allow, or to token"
            )


def listen_addresses(config: Config) -> dict[str, str]:
    """Setting → address of each TCP listener."""
    addresses = {"web.listen_address": config.web.listen_address}
    if config.web.private_listen_address:
        addresses["web.private_listen_address"] = config.web.private_listen_address
    return addresses


def is_loopback(host: str) -> bool:
    """Whether *host* is only reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_rules(config: Config, started: Config | None = None) -> AccessRules:
    """What the door must know. Where the bridge listens was settled by the configuration that it *started* with.

    A proxy on this machine makes the whole world look like loopback: whoever names one is reachable from elsewhere.
    """
    beyond = any(
        not is_loopback(split_address(address, setting)[0])
        for setting, address in listen_addresses(started or config).items()
    )
    need_token = config.access.open_protocols == "token"
    return AccessRules(
        open_protocols_need_token=need_token,
        beyond_loopback=beyond or need_token or bool(config.access.trusted_proxies),
        reads_need_token=config.access.read == "token",
    )


def series_limits(config: Config) -> SeriesLimits:
    """What the state must know."""
    limits = config.limits
    return SeriesLimits(
        limits.max_series, limits.new_series_per_minute, limits.max_labels, limits.max_label_value_bytes
    )


def differing(before: Config, after: Config) -> list[str]:
    """Settings that have different values in the two."""
    return [
        name
        for name in setting_names()
        if msgspec.to_builtins(setting_value(before, name)) != msgspec.to_builtins(setting_value(after, name))
    ]
