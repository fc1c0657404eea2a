"""The hosts that alerts are timed with, and how the shipped rules are read. What is timed needs a quiet machine."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.alerts import fleet, targets
from bench.alerts.agents import Agent, agents
from bench.alerts.delivery import Life
from bench.alerts.fleet import Fleet, host_lines
from bench.alerts.servers import Chat, Message, holds, seconds_of, shorten_holds
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.dialects.dialect import PushContext
from tests.stack.alerts.services import BOT_TOKEN, CHAT, Post

RULES: Final = Path(__file__).resolve().parents[2] / "prometheus/rules"
NOW_MS: Final = 1_770_000_000_000
NAMES: Final = {
    "/sx/metrics": "statix",
    "/api/v1/samples": "samples",
    "/pt/api/telemetry": "pixeltracker",
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the shipped ones."""
    return Path(shutil.copytree(RULES, tmp_path / "rules"))


def test_holds_are_those_of_the_rules() -> None:
    known = holds(RULES)

    assert known["HostCpuHigh", "warning"] == 15 * 60
    assert known["Watchdog", "none"] == 0


def test_shortened_rules_hold_as_long_as_the_table_says(rules: Path) -> None:
    before = holds(rules)
    shorten_holds(rules)

    assert holds(rules) == {
        alert: seconds_of(targets.QUICK_HOLD) if hold else 0 for alert, hold in before.items()
    }


@pytest.mark.parametrize("agent", agents(), ids=lambda agent: agent.host)
def test_an_agent_raises_an_alert_that_is_shipped(agent: Agent) -> None:
    severity = "critical" if agent.critical else "warning"

    assert (agent.alert, severity) in holds(RULES)


@pytest.mark.parametrize("agent", agents(), ids=lambda agent: agent.host)
def test_what_an_agent_sends_is_taken(agent: Agent) -> None:
    body = json.dumps(agent.document(NOW_MS / 1000, well=False)).encode()
    context = PushContext(received_ms=NOW_MS, content_type="application/json")
    report = DIALECTS[NAMES[agent.path]].decode(body, context)

    assert (report.accepted, report.skipped) == (1, 0)


def test_every_alert_is_the_first_of_its_group() -> None:
    """Who joins a group waits for the next turn of it. Samples have a job of the host's name."""
    groups = {
        (agent.alert, agent.critical, agent.host if NAMES[agent.path] == "samples" else agent.path)
        for agent in agents()
    }

    assert len(groups) == len(agents())


def life() -> Life:
    return Life(agents()[0], time.monotonic(), "warning", 900)


def test_a_message_about_another_host_or_alert_says_nothing_of_this_one() -> None:
    one = life()
    for text in (
        "🔥 HostCpuHigh: 1 firing\n• CPU of cpu-1 is 97% busy",
        "🔥 HostLoadHigh: 1 firing\n• cpu-0",
    ):
        one.read(Message(1.0, text))

    assert (one.told, one.resolved) == (None, None)


def test_what_is_told_first_counts() -> None:
    one = life()
    firing, resolved = (
        "🔥 HostCpuHigh: 1 firing\n• CPU of cpu-0",
        "✅ HostCpuHigh: 1 resolved\n• CPU of cpu-0",
    )
    for at, text in ((1.0, firing), (2.0, firing), (3.0, resolved), (4.0, resolved)):
        one.read(Message(at, text))

    assert (one.told, one.resolved) == (1.0, 3.0)


def test_the_chat_notes_what_it_took_and_nothing_else() -> None:
    chat = Chat()
    try:
        for text in ("<b>taken</b>", "<refused>"):
            body = {"chat_id": CHAT, "text": text, "parse_mode": "HTML"}
            chat.answer(Post(f"/bot{BOT_TOKEN}/sendMessage", {}, {}, body))
    finally:
        chat.server_close()

    assert [message.text for message in chat.messages] == ["taken"]


@pytest.fixture
def simulated() -> Iterator[Fleet]:
    hosts = Fleet(3)
    yield hosts
    hosts.server_close()


def test_each_simulated_host_has_the_same_series_under_its_own_name(simulated: Fleet) -> None:
    families = list(text_string_to_metric_families(simulated.exposition().decode()))
    series = [sample for family in families for sample in family.samples]
    by_host = {name: sum(sample.labels["instance"] == name for sample in series) for name in simulated.names}

    assert set(by_host.values()) == {len(host_lines("", 0))}
    assert simulated.series == len(series)


def test_a_simulated_host_is_half_busy() -> None:
    """Alerts about all of them would be measured too."""
    early, late = (
        {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in host_lines("a", seconds)}
        for seconds in (0.0, 100.0)
    )
    grown = {series: late[series] - early[series] for series in early if "node_cpu_seconds" in series}
    idle = sum(value for series, value in grown.items() if 'mode="i' in series and 'mode="irq"' not in series)

    assert sum(grown.values()) == pytest.approx(fleet.CORES * 100)
    assert idle / sum(grown.values()) == pytest.approx(0.5)
