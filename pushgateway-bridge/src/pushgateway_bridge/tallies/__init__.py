"""What becomes of events: counts that need to know what was counted before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pushgateway_bridge.tallies.minigem import MinigemTally
from pushgateway_bridge.tallies.proxmoxve import ProxmoxveTally
from pushgateway_bridge.tallies.tally import Tally

TALLIES: Final[Mapping[str, Callable[[Callable[[], bytes]], Tally]]] = {
    "minigem": MinigemTally,
    "proxmoxve": ProxmoxveTally,
}
"""By dialect: what makes its tally of a secret, with which it keeps no more of anybody than a keyed hash."""
