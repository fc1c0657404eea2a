"""Through which listener a request came."""

from __future__ import annotations

import enum


class Door(enum.Enum):
    """What it means to come through a listener."""

    PUBLIC = enum.auto()
    PRIVATE = enum.auto()
    """web.private_listen_address."""
    OWNER = enum.auto()
    """The socket in the access folder."""
