"""``/proc/net/udp`` and ``udp6``, see proc_pid_net(5): one line for each socket."""

from __future__ import annotations

from typing import NamedTuple

QUEUES_COLUMN = 4
"""``tx_queue:rx_queue``, after the number, two addresses and the state."""

NOTHING_WAITS = " 00000000:00000000 "
"""That column of most sockets. No other looks so: ports have four digits, and timers begin with two."""


class Queues(NamedTuple):
    """Bytes that wait to be sent, and bytes that wait to be read."""

    sent: int
    received: int


def sum_queues(text: str) -> Queues:
    """The sums over all sockets. Raises ValueError if a line after the heading has no pair of hexadecimal numbers."""
    sent = received = 0
    for line in text.splitlines()[1:]:
        if NOTHING_WAITS in line:
            continue
        try:
            waiting = line.split(None, QUEUES_COLUMN + 1)[QUEUES_COLUMN]
            out, into = waiting.split(":")
            sent += int(out, 16)
            received += int(into, 16)
        except (IndexError, ValueError) as error:
            raise ValueError(f"expected tx_queue:rx_queue in column 5, got {line!r}") from error
    return Queues(sent, received)
