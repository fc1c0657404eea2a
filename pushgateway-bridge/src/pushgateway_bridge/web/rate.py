"""How often a client may push, and who a client is. Addresses are kept here, in memory, and nowhere else."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from pushgateway_bridge.errors import RateLimited, StartFailed

if TYPE_CHECKING:
    from fastapi import Request  # the command line reads this module, and does not need the rest of it

MAX_CLIENTS: Final = 100_000
"""Clients that are remembered at once."""
NO_LIMIT: Final = "unlimited"
"""What stands for a rate where there is none."""
SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Rate(NamedTuple):
    """*number* pushes in *seconds*; all of them may come at once."""

    number: int
    seconds: float


def parse_rate(text: str, setting: str) -> Rate:
    """``600/m`` → 600 in 60 s. Raises StartFailed naming *setting*."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([smhd])", text)
    if match is None:
        raise StartFailed(
            f"{setting}: expected NUMBER/s, /m, /h or /d, such as 600/m, or unlimited, got {text!r}"
        )
    return Rate(int(match[1]), SECONDS[match[2]])


def rates_of(rates: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, Rate]:
    """Dialect → rate, of those that have one: as *rates* say, else as *defaults* do. Raises StartFailed."""
    return {
        dialect: parse_rate(text, f"limits.rates {dialect}")
        for dialect, text in {**defaults, **rates}.items()
        if text not in ("", NO_LIMIT)
    }


def parse_networks(texts: Sequence[str], setting: str) -> tuple[Network, ...]:
    """Addresses and networks such as 10.0.0.0/8. Raises StartFailed naming *setting*."""
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise StartFailed(f"{setting}: {error}") from error
    return tuple(networks)


class RateLimiter:
    """Admits each client's pushes at a rate, and all that the rate allows in one burst.

    The generic cell rate algorithm: one number a client, the time at which its burst is whole again.
    """

    def __init__(self, rate: Rate, monotonic: Callable[[], float]) -> None:
        self.rate = rate
        self._monotonic = monotonic
        self._step = rate.seconds / rate.number
        self._whole_at: dict[str, float] = {}

    def admit(self, client: str) -> None:
        """Count a push of *client*. Raises RateLimited, which says when the next one may come."""
        wait = self.wait_seconds(client)
        if wait > 0:
            raise RateLimited(
                f"more than {self.rate.number} pushes in {self.rate.seconds:.0f} s", int(wait) + 1
            )
        self.count(client)

    def wait_seconds(self, client: str) -> float:
        """How long *client* must wait before it may push; 0 if it may now."""
        early = self._after(client) - self._monotonic() - self.rate.seconds
        return early if early > 1e-9 else 0.0

    def left(self, client: str) -> tuple[int, int]:
        """How many pushes *client* may send at once by now, and in how many seconds it may send all again."""
        missing = max(self._whole_at.get(client, 0.0) - self._monotonic(), 0.0)
        return int((self.rate.seconds - missing) / self._step + 1e-6), math.ceil(missing)

    def count(self, client: str) -> None:
        """Count a push that was let in."""
        if client not in self._whole_at and len(self._whole_at) >= MAX_CLIENTS:
            self._forget(self._monotonic())
        self._whole_at[client] = self._after(client)

    def _after(self, client: str) -> float:
        """When the burst of *client* is whole again, once it has pushed now."""
        return max(self._whole_at.get(client, 0.0), self._monotonic()) + self._step

    def _forget(self, now: float) -> None:
        """Make room: of those whose burst is whole nothing need be known; else of those who came first."""
        self._whole_at = {client: at for client, at in self._whole_at.items() if at > now}
        for client in list(self._whole_at)[: len(self._whole_at) - MAX_CLIENTS * 9 // 10]:
            del self._whole_at[client]

    def __len__(self) -> int:
        return len(self._whole_at)


class ClientAddresses:
    """Who a client is, by its address: that of the connection, or what a trusted proxy says."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def trust(self, proxies: Sequence[Network]) -> None:
        """Believe *proxies* from now on, and nobody else."""
        self._trusted = tuple(proxies)

    def of(self, request: Request) -> str:
        """The key of the client that sent *request*."""
        peer = request.client.host if request.client is not None else ""
        if not self.is_proxy(peer):
            return client_key(peer)
        # Each proxy adds the address that it saw, in a line of its own or not: the last one that is no proxy of ours
        # is the client. What stands before that the client may have written itself.
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        for address in reversed([without_port(text.strip()) for text in forwarded.split(",")]):
            if not self.is_proxy(address):
                return client_key(address) or client_key(peer)
        return client_key(peer)

    def is_https(self, request: Request) -> bool:
        """Whether the client that sent *request* speaks TLS, with us or with a trusted proxy."""
        peer = request.client.host if request.client is not None else ""
        forwarded = request.headers.get("x-forwarded-proto", "")
        return request.url.scheme == "https" or (self.is_proxy(peer) and forwarded.strip().lower() == "https")

    @property
    def has_proxies(self) -> bool:
        """Whether any proxy is believed."""
        return bool(self._trusted)

    def is_proxy(self, peer: str) -> bool:
        """Whether what *peer* says of others is believed."""
        if not self._trusted:
            return False
        address = parse_address(peer)
        return address is not None and any(address in network for network in self._trusted)


def without_port(text: str) -> str:
    """The address in ``192.0.2.1:4711`` or ``[2001:db8::1]:4711``, as some proxies write it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def client_key(address: str) -> str:
    """What stands for a client: an IPv4 address, the /64 of an IPv6 address (one client has all of it)."""
    parsed = parse_address(address)
    if parsed is None:
        return ""
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def parse_address(text: str) -> Address | None:
    """The address that *text* is; one mapped into IPv6 as IPv4; ``None`` if it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
