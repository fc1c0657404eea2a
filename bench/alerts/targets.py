"""What must be reached, and with which hosts."""

from __future__ import annotations

from typing import Final

from bench.table import Target

LATE_SECONDS: Final = Target("≤", 15)
"""From the end of an alert's hold to the message, the hold counted from the first push."""
SHORT_SECONDS: Final = 5
"""The interval of what alerts are in a hurry for."""
SHARE: Final = 0.2
"""Of an interval, for one evaluation of a group: so five times as many hosts still fit into it."""

HOSTS: Final = 2000
QUICK_HOSTS: Final = 100
FILL_SECONDS: Final = 330.0
"""Until the rates over five minutes have all that they read."""
QUICK_FILL_SECONDS: Final = 30.0
EVALUATIONS: Final = 24
"""How many of a group that is evaluated every SHORT_SECONDS are looked at."""
QUICK_EVALUATIONS: Final = 3

QUICK_HOLD: Final = "30s"
"""Instead of an alert's own ``for``."""
