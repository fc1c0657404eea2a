"""What the configuration says about who needs a token."""

from __future__ import annotations

from typing import NamedTuple


class AccessRules(NamedTuple):
    """What the configuration says."""

    open_protocols_need_token: bool
    beyond_loopback: bool
    """Whether other machines can reach the bridge."""
    reads_need_token: bool
