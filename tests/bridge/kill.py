"""Pushers that know what was answered, and a detector of pushes that were lost or counted twice."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.bridge.process import BridgeProcess


@dataclass
class Account:
    """What one host sent, each push with a higher count than the one before, and what was answered."""

    sent: int = 0
    """The newest count that may have reached the bridge."""
    requests: int = 0
    answered: int = 0
    """The newest count that was accepted."""
    answers: int = 0


class Pusher(threading.Thread):
    """Sends its count on one connection until the bridge is gone."""

    def __init__(self, port: int, host: str, account: Account) -> None:
        super().__init__()
        self.port = port
        self.host = host
        self.account = account

    def run(self) -> None:
        account = self.account
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while True:
                account.sent += 1
                account.requests += 1
                connection.request("POST", "/api/telemetry", push_body(self.host, account.sent), HEADERS)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    return
                account.answered = account.sent
                account.answers += 1
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


HEADERS = {"Content-Type": "application/json"}


def push_body(host: str, count: int) -> bytes:
    """A push that says *count* in a gauge."""
    return json.dumps({"name": host, "cpuC": count}).encode()


def start_pushers(bridge: BridgeProcess, accounts: Mapping[str, Account]) -> list[Pusher]:
    """A running pusher for each host."""
    pushers = [Pusher(bridge.port, host, account) for host, account in accounts.items()]
    for pusher in pushers:
        pusher.start()
    return pushers


def join(pushers: Iterable[Pusher]) -> None:
    """Wait until all have noticed that the bridge is gone."""
    for pusher in pushers:
        pusher.join(60)
        assert not pusher.is_alive(), f"the pusher of {pusher.host} still waits"


def push_and_kill(bridge: BridgeProcess, accounts: Mapping[str, Account], chance: random.Random) -> list[str]:
    """Kill the bridge while pushes run, start it again; the faults that it then shows."""
    pushers = start_pushers(bridge, accounts)
    time.sleep(chance.uniform(0.3, 1.0))
    bridge.kill()
    join(pushers)
    bridge.start()
    return faults(accounts, bridge.series())


def faults(accounts: Mapping[str, Account], series: Mapping[str, float]) -> list[str]:
    """A line for each host of which an answered push is missing in *series*, or one counts that was never sent."""
    found = []
    for host, account in accounts.items():
        group = f'job="pixeltracker",instance="{host}"'
        value = series.get(f'host_cpu_cores{{{group},kind="logical"}}', 0)
        reports = series.get(f"telemetry_reports_total{{{group}}}", 0)
        if value < account.answered:
            found.append(f"lost: {host} has {value:.0f}, but {account.answered} was answered")
        if reports < account.answers:
            found.append(f"lost: {host} has {reports:.0f} reports, but {account.answers} were answered")
        if value > account.sent:
            found.append(f"invented: {host} has {value:.0f}, but only {account.sent} was sent")
        if reports > account.requests:
            found.append(f"counted twice: {host} has {reports:.0f} reports of {account.requests} requests")
    return found
