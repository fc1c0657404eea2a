"""A door for tests of the HTTP layer: open, as on loopback, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pushgateway_bridge.access.rules import AccessRules
from pushgateway_bridge.access.sessions import Sessions
from pushgateway_bridge.access.tokens import Tokens
from pushgateway_bridge.dialects.dialect import Dialect
from pushgateway_bridge.web.geo import Countries
from pushgateway_bridge.web.guard import Guard
from pushgateway_bridge.web.push import PushGate, PushSizes
from pushgateway_bridge.web.rate import ClientAddresses

OPEN = AccessRules(open_protocols_need_token=False, beyond_loopback=False, reads_need_token=False)


def gate_of(
    directory: Path, clock_ms: Callable[[], int], dialects: Mapping[str, Dialect], rules: AccessRules = OPEN
) -> PushGate:
    """A gate whose tokens are in *directory*, made when the first one is."""
    tokens = Tokens(directory, clock_ms)
    guard = Guard(tokens, Sessions(tokens, lambda: b"secret", clock_ms, 3600.0), rules)
    limits = {name: dialect.max_body_bytes for name, dialect in dialects.items()}
    addresses = ClientAddresses(())
    return PushGate(guard, addresses, {}, limits, PushSizes(), Countries(addresses))
