"""From the first push of a host in trouble to the message, and from the first one of a host that is well again."""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from bench.alerts import targets
from bench.alerts.agents import Agent
from bench.alerts.servers import Message, Stack, holds, wait_for
from bench.servers import Server, ServerFailed
from bench.summary import spread
from bench.table import Row

OFFSET_SECONDS = 7.0
"""Between the first pushes of two hosts: no multiple of the interval at which rules are evaluated."""
LATEST_SECONDS = 120.0
"""After its hold an alert that nobody was told of by then is lost."""
RESOLVE_SECONDS = 15 * 60.0
"""Means over five minutes fall, and what changes in a group of warnings is told every five."""
LOOK_SECONDS = 0.1


class Life:
    """One agent's pushes, and when what was told."""

    def __init__(self, agent: Agent, begins: float, severity: str, hold: int) -> None:
        """*begins*: when it pushes first, by the monotonic clock."""
        self.agent = agent
        self.severity = severity
        self.hold = hold
        self._next = begins
        self._first: dict[bool, float] = {}
        """When it first said that it is in trouble (False), and well (True)."""
        self.told: float | None = None
        self.resolved: float | None = None

    @property
    def well(self) -> bool:
        return self.told is not None

    @property
    def late(self) -> float:
        """Seconds from the end of the hold to the message."""
        assert self.told is not None
        return self.told - self._first[False] - self.hold

    @property
    def recovery(self) -> float:
        """Seconds from the first push of a host that is well to the message that says so."""
        assert self.resolved is not None
        return self.resolved - self._first[True]

    def push_if_due(self, bridge: Server) -> None:
        """Raises ServerFailed if the push is refused."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next += self.agent.seconds
        self._first.setdefault(self.well, now)
        body = json.dumps(self.agent.document(time.time(), well=self.well))
        with contextlib.closing(bridge.connect()) as connection:
            connection.request("POST", self.agent.path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        if not 200 <= status < 300:
            raise ServerFailed(f"a push to {self.agent.path} was answered {status}")

    def read(self, message: Message) -> None:
        """Note what *message* says of this host."""
        firing, _, resolved = message.text.partition("✅")
        if self.agent.alert in firing and self.agent.host in firing and self.told is None:
            self.told = message.at
        if self.agent.alert in resolved and self.agent.host in resolved and self.resolved is None:
            self.resolved = message.at


def measure(stack: Stack, agents: Sequence[Agent], say: Callable[[str], None], note: str) -> list[Row]:
    """A row for each alert, over its hosts. Raises ServerFailed if a message does not come; *note* is put below."""
    begins = time.monotonic() + 1
    known = holds(stack.rules)
    lives = []
    for number, agent in enumerate(agents):
        severity = _severity(agent, known)
        lives.append(Life(agent, begins + number * OFFSET_SECONDS, severity, known[agent.alert, severity]))
    read = 0

    def go_on() -> None:
        nonlocal read
        for life in lives:
            life.push_if_due(stack.bridge)
        for message in stack.chat.messages[read:]:
            read += 1
            say(f"after {message.at - begins:.1f} s: {message.text.splitlines()[0]}")
            for life in lives:
                life.read(message)
        time.sleep(LOOK_SECONDS)

    longest = max(life.hold for life in lives) + len(lives) * OFFSET_SECONDS
    wait_for("every message", lambda: all(life.well for life in lives), longest + LATEST_SECONDS, go_on)
    wait_for("every end", lambda: all(life.resolved is not None for life in lives), RESOLVE_SECONDS, go_on)
    return _rows(lives, note)


def _severity(agent: Agent, known: dict[tuple[str, str], int]) -> str:
    """The one that is told of the agent: a critical alert hides the warning of its name."""
    severities = {severity for name, severity in known if name == agent.alert}
    return "critical" if agent.critical and "critical" in severities else "warning"


def _rows(lives: Sequence[Life], note: str) -> list[Row]:
    by_alert: dict[str, list[Life]] = defaultdict(list)
    for life in lives:
        by_alert[f"{life.agent.alert} ({life.severity}, holds {_minutes(life.hold)})"].append(life)
    rows = []
    for name, of_alert in by_alert.items():
        late = [life.late for life in of_alert]
        whole = [life.late + life.hold for life in of_alert]
        hosts = f"{len(late)} hosts" if len(late) > 1 else "one host"
        rows += [
            Row(f"{name}: from the first push to the message", "s", spread(whole), note=f"{hosts}, {note}"),
            Row(
                f"{name}: of it beyond the hold, the longest",
                "s",
                spread([max(late)]),
                must=targets.LATE_SECONDS,
                note=f"{', '.join(f'{seconds:.1f}' for seconds in late)} s",
            ),
            Row(
                f"{name}: from the first push of a host that is well to the message, the longest",
                "s",
                spread([max(life.recovery for life in of_alert)]),
            ),
        ]
    return rows


def _minutes(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
