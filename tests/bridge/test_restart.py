"""kill -9 while pushes run: every push that was answered is there, and none is there twice."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from pathlib import Path

import pytest

from tests.bridge.process import BridgeProcess

pytestmark = pytest.mark.stack

PUSHERS = 8
ROUNDS = 5


class Pusher(threading.Thread):
    """Sends its count on one connection until the bridge is gone; knows what was answered."""

    def __init__(self, port: int, host: str, sent: int) -> None:
        super().__init__()
        self.port = port
        self.host = host
        self.sent = sent
        self.answered = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            while True:
                self.sent += 1
                body = json.dumps({"name": self.host, "cpuC": self.sent})
                connection.request("POST", "/api/telemetry", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    return
                self.answered = self.sent
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()


def test_kill_loses_no_answered_push_and_counts_none_twice(tmp_path: Path) -> None:
    chance = random.Random(7)
    sent = dict.fromkeys((f"host-{i}" for i in range(PUSHERS)), 0)
    answered = dict(sent)
    answers = dict(sent)
    requests = dict(sent)
    with BridgeProcess(tmp_path, "--journal.checkpoint-interval-seconds=0.2") as bridge:
        for _ in range(ROUNDS):
            pushers = [Pusher(bridge.port, host, sent[host]) for host in sent]
            for pusher in pushers:
                pusher.start()
            time.sleep(chance.uniform(0.3, 1.0))
            bridge.kill()
            for pusher in pushers:
                pusher.join(60)
                answers[pusher.host] += max(pusher.answered - sent[pusher.host], 0)
                requests[pusher.host] += pusher.sent - sent[pusher.host]
                answered[pusher.host] = max(pusher.answered, answered[pusher.host])
                sent[pusher.host] = pusher.sent
            bridge.start()
            series = bridge.series()
            for host in sent:
                group = f'job="pixeltracker",instance="{host}"'
                value = series[f'host_cpu_cores{{{group},kind="logical"}}']
                assert answered[host] <= value <= sent[host]
                assert answers[host] <= series[f"telemetry_reports_total{{{group}}}"] <= requests[host]
    assert sum(answers.values()) > 100


def test_a_graceful_stop_answers_everything_and_leaves_nothing_to_replay(tmp_path: Path) -> None:
    with BridgeProcess(tmp_path) as bridge:
        pushers = [Pusher(bridge.port, f"host-{i}", 0) for i in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        time.sleep(0.5)
        code = bridge.terminate()
        for pusher in pushers:
            pusher.join(60)
        assert code == 0

        bridge.start()
        series = bridge.series()
        for pusher in pushers:
            group = f'job="pixeltracker",instance="{pusher.host}"'
            assert series[f"telemetry_reports_total{{{group}}}"] >= pusher.answered > 0
