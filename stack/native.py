"""The stack as plain processes of this machine, kept running by supervisor."""

from __future__ import annotations

import errno
import http.client
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from stack import folder, supervision, tools
from stack.configuration import write_configuration
from stack.errors import StackError
from stack.parts import (
    DELIVERY,
    READY_PATHS,
    REMOTE_WRITE,
    delivery_of,
    find_grafana,
    native_parts,
    our_programs,
    part_environment,
)
from stack.settings import BRIDGE_PRIVATE_ADDRESS, Address, Settings, parse_address, setting_of
from stack.status import PartStatus

READY_SECONDS = 120
"""From the start of the parts until all must be ready; downloads come before."""

POLL_SECONDS = 0.2
REMINDER_SECONDS = 10
PROBE_SECONDS = 2
LAST_LINES = 5
ENDED = {"BACKOFF", "EXITED", "FATAL", "UNKNOWN"}
"""supervisor's states of a part that ran and does not run."""


def up(settings: Settings, say: Callable[[str], None]) -> list[str]:
    """Start every part and wait until all are ready; their names in order.

    Raises StackError if one is not: then nothing that was started runs any more.
    """
    if left := supervision.processes_of(settings.directory):
        raise StackError(
            f"process {left[0].pid} ({left[0].name()}) of an earlier run is left: end it with 'make down'"
        )
    ours = our_programs()
    grafana = find_grafana()
    for name in READY_PATHS:
        if name != "grafana" or grafana is not None:
            check_free(name, settings.addresses[name])
    if settings.inner_address("bridge") != settings.addresses["bridge"]:
        check_free("bridge", settings.inner_address("bridge"), BRIDGE_PRIVATE_ADDRESS)
    programs = {**ours, **tools.fetch(tools.STACK_PROGRAMS, say=say)}
    for name in tools.STACK_PROGRAMS:
        say(tools.version_line(name, programs[name]))
    delivery = delivery_of(settings, programs["prometheus"])
    if delivery != REMOTE_WRITE and not settings.value(DELIVERY, ""):
        say(scraped_line(tools.version(programs["prometheus"])))
    parts = native_parts(settings, programs, grafana)
    inner = {part.name: settings.inner_address(part.name) for part in parts}
    write_configuration(settings, programs, inner)
    for part in parts:
        folder.make_data_folder(settings.directory, part.name)
    with _stopped_on_failure(settings.directory):
        supervision.start(parts, settings.directory, part_environment(settings, delivery))
        _wait_until_ready(inner, settings.directory, say)
    return [part.name for part in parts]


def scraped_line(version: str) -> str:
    """Why the Prometheus that says *version* of itself is not written to."""
    number = ".".join(str(part) for part in tools.version_number(version)[:2]) or "of unknown version"
    return (
        f"Prometheus {number}: samples are scraped, so it gets the newest of each series every 5 s; "
        "from version 3 on it gets all of them with their own times"
    )


def check_free(part: str, address: Address, setting: str = "") -> None:
    """Raises StackError, naming *part* and its *setting*, if nothing can listen on *address* now."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of the stack before this one may still be closing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(tuple(address))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "is taken by another program" if taken else f"cannot be listened on: {error.strerror}"
            raise StackError(
                f"{part}: {address} {reason}; set {setting or setting_of(part)} to another host:port"
            ) from error


@contextmanager
def _stopped_on_failure(directory: Path) -> Iterator[None]:
    """Whatever ends the block early, also an interrupt, leaves nothing running."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except BaseException:
        supervision.stop(directory)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    del signal_number, frame
    raise KeyboardInterrupt


def _wait_until_ready(addresses: Mapping[str, Address], directory: Path, say: Callable[[str], None]) -> None:
    started = reminded = time.monotonic()
    first_pids: dict[str, int] = {}
    waiting = dict(addresses)
    while waiting:
        for state in _states(directory):
            name = state.name
            first_pid = first_pids.setdefault(name, state.pid) if state.pid else first_pids.get(name, 0)
            if state.state in ENDED or first_pid != state.pid:
                raise _with_log(f"{name} ended while it was starting", name, directory, state.reason)
            if name in waiting and state.state == "RUNNING" and probe(waiting[name], READY_PATHS[name]):
                del waiting[name]
                say(f"{name} is ready after {time.monotonic() - started:.1f} s")
        now = time.monotonic()
        if waiting and now - started > READY_SECONDS:
            name = next(iter(waiting))
            raise _with_log(f"{name} is not ready after {READY_SECONDS} s", name, directory)
        if waiting and now - reminded > REMINDER_SECONDS:
            reminded = now
            say(f"waiting for {', '.join(waiting)} ({now - started:.0f} s)")
        time.sleep(POLL_SECONDS)


def _states(directory: Path) -> list[supervision.PartState]:
    states = supervision.part_states(directory)
    if states is None:
        raise _with_log("supervisor ended while the parts were starting", "supervisor", directory)
    return states


def _with_log(message: str, name: str, directory: Path, reason: str = "") -> StackError:
    """*message* with what the part called *name* wrote last, else with *reason*."""
    path = folder.log_file(directory, name)
    lines = [line for line in _read(path).splitlines() if line.strip()][-LAST_LINES:]
    last = f": {lines[-1].strip()}" if lines else f": {reason}" if reason else ""
    return StackError(f"{message}{last} (see {path})", lines[:-1])


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def probe(address: Address, path: str) -> bool:
    """Does the part at *address* answer *path* with 200?"""
    reachable = address.reachable()
    connection = http.client.HTTPConnection(reachable.host, reachable.port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def status(directory: Path, record: folder.Record) -> list[PartStatus]:
    """One entry for each part that was started in *directory*; empty if its supervisor does not run."""
    states = supervision.part_states(directory) or ()
    order = list(READY_PATHS)
    statuses = []
    for state in sorted(states, key=lambda state: order.index(state.name)):
        address = record.addresses[state.name]
        running = state.state == "RUNNING"
        inner = parse_address(record.inner.get(state.name, record.addresses[state.name]))
        ready = running and probe(inner, READY_PATHS[state.name])
        word = "ready" if ready else "not ready" if running else state.state.lower()
        detail = f"up {_duration(state.uptime_seconds)}, pid {state.pid}" if running else state.reason
        statuses.append(PartStatus(state.name, word, address, detail, running, ready))
    return statuses


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
