"""The live stream and the past day: who reports when, until the end."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from demo.bridge import Bridge
from demo.events import batch, installation
from demo.hosts import (
    BACKED_UP,
    HOSTS,
    MOST_HISTORY_SECONDS,
    REPORT_SECONDS,
    Clock,
    Host,
    activity,
    reading,
    silent,
)
from demo.reports import Report, backup, report

HISTORY_STEP_SECONDS = 120.0
"""Dashboards ask for rates over at least four minutes."""
HISTORY_SENDERS = 4
"""A push waits for the disk; the bridge commits those of several senders at once."""
BATCH_SECONDS = 3.0
"""Below the 2 000 pushes an hour that the bridge allows each sender of minigem's."""
INSTALLATION_SECONDS = 5.0
FIRST_INSTALLATIONS = 80
"""Told at once, so that there is something to see."""
BACKUP_SECONDS = 60.0


Task = Callable[[float], float | None]
"""Pushes something; takes the time it is, gives the seconds until it wants to be called again, ``None``: never."""


class Counts:
    """What became of the pushes so far."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent = 0
        self.refused: dict[int, int] = {}
        """By status; 0 is no answer."""
        self.history_done = 0
        self.history_all = 0

    def note(self, status: int, *, history: bool = False) -> None:
        """Count one push that was answered *status*; whether it was one of the past."""
        with self._lock:
            self.history_done += history
            if 200 <= status < 300:
                self.sent += 1
            else:
                self.refused[status] = self.refused.get(status, 0) + 1

    def line(self) -> str:
        """One line for a person."""
        refused = ", ".join(
            f"{number} {'not answered' if status == 0 else f'refused ({status})'}"
            for status, number in sorted(self.refused.items())
        )
        parts = [f"{self.sent} pushes stored", *([refused] if refused else [])]
        if self.history_done < self.history_all:
            parts.append(f"past day {self.history_done * 100 // self.history_all} %")
        return ", ".join(parts)


class Demo:
    """The whole demo on one bridge."""

    def __init__(
        self,
        connect: Callable[[], Bridge],
        clock: Clock,
        tokens: Mapping[str, str],
        installer_tokens: Sequence[str],
        *,
        events: bool = True,
        installations: bool = True,
    ) -> None:
        """*tokens* are those of the hosts whose dialect wants one, by name."""
        self.counts = Counts()
        self._connect = connect
        self._bridge = connect()
        self._clock = clock
        self._tokens = tokens
        self._installers = itertools.cycle(installer_tokens or [""])
        self._events = events
        self._installations = installations
        self._dice = random.Random(int(clock.start))  # noqa: S311 - made-up events
        self._ends: list[tuple[float, int, Report, str]] = []
        self._numbers = itertools.count()

    def run(self, stop: threading.Event, until: float, tell: Callable[[str], None]) -> None:
        """Push until *stop* is set or it is *until*; *tell* gets the state about once a second."""
        due: list[tuple[float, int, Task]] = []
        for number, task in enumerate(self._tasks()):
            heapq.heappush(due, (time.time(), number, task))
        told = 0.0
        while due and not stop.is_set() and (now := time.time()) < until:
            if now - told >= 1:
                tell(self.counts.line())
                told = now
            at, number, task = due[0]
            if at > now:
                stop.wait(min(at - now, 1.0, until - now))
                continue
            heapq.heappop(due)
            if (seconds := task(now)) is not None:
                # From when it was due, unless the bridge is so slow that calls would pile up.
                heapq.heappush(due, (max(at + seconds, now), number, task))

    def send_history(self, stop: threading.Event, seconds: float) -> None:
        """Push what the hosts would have reported in the *seconds* before the start, each host's oldest first."""
        steps = int(min(seconds, MOST_HISTORY_SECONDS) // HISTORY_STEP_SECONDS)
        self.counts.history_all = steps * len(HOSTS)
        senders = [
            threading.Thread(target=self._send_past_of, args=(HOSTS[first::HISTORY_SENDERS], steps, stop))
            for first in range(HISTORY_SENDERS)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def _send_past_of(self, hosts: Sequence[Host], steps: int, stop: threading.Event) -> None:
        bridge = self._connect()
        end = self._clock.start // HISTORY_STEP_SECONDS * HISTORY_STEP_SECONDS
        for step in range(steps, 0, -1):
            at = end - step * HISTORY_STEP_SECONDS
            for host in hosts:
                if stop.is_set():
                    return
                status = bridge.push(self._report(host, at, HISTORY_STEP_SECONDS))
                self.counts.note(status, history=True)

    def _tasks(self) -> list[Task]:
        tasks: list[Task] = [self._reporting(host) for host in HOSTS]
        tasks.append(self._tell_of_backups)
        if self._events:
            tasks.append(self._send_batch)
        if self._installations:
            tasks += [self._install_many, self._install, self._end_installations]
        return tasks

    def _push(self, one: Report, token: str = "") -> None:
        self.counts.note(self._bridge.push(one, token))

    def _report(self, host: Host, at: float, since: float) -> Report:
        now, before = (reading(host, self._clock, moment) for moment in (at, at - since))
        return report(host, now, before, self._tokens.get(host.name, ""))

    def _reporting(self, host: Host) -> Task:
        interval = REPORT_SECONDS[host.dialect]

        def act(now: float) -> float | None:
            if silent(host, self._clock, now):
                return None
            self._push(self._report(host, now, interval))
            return interval

        return act

    def _tell_of_backups(self, now: float) -> float:
        for name in BACKED_UP:
            host = next(one for one in HOSTS if one.name == name)
            if not silent(host, self._clock, now):
                size = host.disk_bytes * reading(host, self._clock, now).disk / 10
                self._push(backup(host, now, size / 80e6, size))
        return BACKUP_SECONDS

    def _send_batch(self, now: float) -> float:
        runs = 1 + round(8 * activity(self._clock.day_time(now)) * self._dice.uniform(0.5, 1.5))
        self._push(batch(self._dice, now, runs))
        return BATCH_SECONDS

    def _install_many(self, now: float) -> None:  # noqa: ARG002 - a Task
        for _ in range(FIRST_INSTALLATIONS):
            one, token = installation(self._dice), next(self._installers)
            self._push(one.begins, token)
            self._push(one.ends, token)

    def _install(self, now: float) -> float:
        one, token = installation(self._dice), next(self._installers)
        self._push(one.begins, token)
        for after, what in ((self._dice.uniform(2, 10), one.goes_on), (self._dice.uniform(10, 60), one.ends)):
            heapq.heappush(self._ends, (now + after, next(self._numbers), what, token))
        return INSTALLATION_SECONDS * self._dice.uniform(0.5, 1.5)

    def _end_installations(self, now: float) -> float:
        while self._ends and self._ends[0][0] <= now:
            _, _, what, token = heapq.heappop(self._ends)
            self._push(what, token)
        return 1.0
