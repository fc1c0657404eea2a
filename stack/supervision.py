"""supervisor keeps the native parts running; here is its configuration, and how we talk to it."""

from __future__ import annotations

import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import psutil

from stack.errors import StackError
from stack.folder import log_file
from stack.parts import Part

MARK = "TELEMETRY_STACK_DIR"
"""Variable that every process of a stack inherits: so all of them are found, and nothing else is ended."""

SOCKET_NAME_BYTES = 100
"""unix(7) allows 107; supervisor adds its process id while it makes the socket."""

STOP_SECONDS = 30
"""Prometheus writes down what is in memory, the bridge what is queued."""

# Retries wait one second longer each time: after 300 of them, about half a day, supervisor gives a part up.
START_RETRIES = 300

CONFIGURATION = """\
[unix_http_server]
file = {directory}/supervisor.sock
chmod = 0700

[supervisord]
pidfile = {directory}/supervisor.pid
logfile = {directory}/logs/supervisor.log
logfile_maxbytes = 10MB
logfile_backups = 2
childlogdir = {directory}/logs
directory = {directory}
nodaemon = false

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{name}]
command = {command}
autostart = true
autorestart = true
startsecs = 1
startretries = {retries}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 2
"""


class PartState(NamedTuple):
    """What supervisor says of one part."""

    name: str
    state: str
    """STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL, ...: see supervisor's manual."""
    pid: int
    """0 if it does not run."""
    uptime_seconds: int
    reason: str
    """Why it does not run, in supervisor's words."""


def configuration_text(parts: Iterable[Part], directory: Path) -> str:
    """The configuration of supervisor for *parts*, with everything of its own in *directory*."""
    sections = [CONFIGURATION.format(directory=_escape(str(directory)))]
    sections += [
        PROGRAM.format(
            name=part.name,
            command=_escape(shlex.join(part.command)),
            retries=START_RETRIES,
            stop_seconds=STOP_SECONDS,
            log=_escape(str(log_file(directory, part.name))),
        )
        for part in parts
    ]
    return "".join(sections)


def _escape(text: str) -> str:
    """A percent sign would begin an expansion."""
    return text.replace("%", "%%")


def start(parts: Sequence[Part], directory: Path, environment: Mapping[str, str]) -> None:
    """Start supervisor in the background, and it *parts*. Raises StackError if supervisor does not start."""
    if len(os.fsencode(directory / "supervisor.sock")) > SOCKET_NAME_BYTES:
        raise StackError(f"STACK_DIR: {directory} is too long a path for a socket: name a shorter one")
    configuration = directory / "supervisor.conf"
    configuration.write_text(configuration_text(parts, directory), encoding="utf-8")
    _set_old_logs_aside(directory)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(configuration)],
        cwd=directory,
        env={**environment, MARK: str(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip().splitlines()
        raise StackError(f"supervisor does not start: {said[-1] if said else done.returncode}", said[-5:])


def _set_old_logs_aside(directory: Path) -> None:
    """What a part says last must be from this start, not from the one before."""
    for path in (directory / "logs").glob("*.log"):
        path.replace(path.with_suffix(".log.old"))


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(self._path)
        except OSError:
            self.close()
            raise


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        del host  # always the socket
        return _UnixConnection(str(self._path))


def part_states(directory: Path) -> list[PartState] | None:
    """What supervisor says of its parts; None if it does not run."""
    infos = _call(directory, "supervisor.getAllProcessInfo")
    if infos is None:
        return None
    return [
        PartState(
            name=info["name"],
            state=info["statename"],
            pid=info["pid"],
            uptime_seconds=info["now"] - info["start"] if info["pid"] else 0,
            reason=info["spawnerr"] or info["description"],
        )
        for info in cast("list[dict[str, Any]]", infos)
    ]


def _call(directory: Path, method: str) -> object:
    """What supervisor answers; None if nobody listens on its socket."""
    transport = _UnixTransport(directory / "supervisor.sock")
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport) as supervisor:
            return cast("object", getattr(supervisor, method)())
    except PermissionError as error:
        raise StackError(f"the stack in {directory} belongs to another user") from error
    except (OSError, http.client.HTTPException, xmlrpc.client.Fault):  # a fault: it is shutting down
        return None


def processes_of(directory: Path) -> list[psutil.Process]:
    """Every process of the stack in *directory*, also when supervisor itself is gone."""
    return [process for process in psutil.process_iter() if _is_marked(process, str(directory))]


def _is_marked(process: psutil.Process, directory: str) -> bool:
    try:
        return process.environ().get(MARK) == directory
    except (psutil.Error, OSError):  # it has ended, or belongs to somebody else
        return False


def stop(directory: Path) -> bool:
    """End every process of the stack in *directory*: what supervisor does not end in time, by signals.

    False if none was running.
    """
    processes = processes_of(directory)
    if not processes:
        return False
    if _call(directory, "supervisor.shutdown") is not None:
        _wait(processes, STOP_SECONDS + 5)
    # First supervisor, which would start its parts again; then parts that it left behind.
    for signal_number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 10)):
        left = processes_of(directory)
        for process in sorted(left, key=lambda process: process.pid):
            _send(process, signal_number)
        _wait(left, seconds)
    if left := processes_of(directory):
        raise StackError(f"process {left[0].pid} of the stack in {directory} does not end")
    for name in ("supervisor.sock", "supervisor.pid"):
        (directory / name).unlink(missing_ok=True)
    return True


def _send(process: psutil.Process, signal_number: signal.Signals) -> None:
    """Only if the process id still means the process that was found: psutil compares the start times."""
    try:
        process.send_signal(signal_number)
    except psutil.NoSuchProcess:
        return


def _wait(processes: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(_lives(process) for process in processes):
        time.sleep(0.1)


def _lives(process: psutil.Process) -> bool:
    """A zombie has ended, even if nobody collects it (a container's first process may not)."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
