"""Ports for the servers that tests start."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

PORTS = range(20000, 24000)
"""Below those that the system takes for outgoing connections, and those that `bench` takes."""
WORKERS = 8
"""As many processes may test side by side, each with ports of its own: between the moment when a port is found
free and the one when its server listens, and while that server is down, nobody else may take it."""


def own_ports() -> range:
    """Those of this process: all, unless pytest-xdist has started it beside others."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return PORTS
    number = int(worker.removeprefix("gw"))
    assert number < WORKERS, f"ports are shared out among {WORKERS} processes"
    share = len(PORTS) // WORKERS
    return PORTS[number * share : (number + 1) * share]


def _in_turn() -> Iterator[int]:
    """Begun anywhere, for another run may go on at the same time."""
    ports = own_ports()
    at = random.SystemRandom().randrange(len(ports))
    while True:
        yield ports[at]
        at = (at + 1) % len(ports)


_turn = _in_turn()


def free_port() -> int:
    """A port that nobody listens on; the next call gives another one."""
    for _ in own_ports():
        port = next(_turn)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
