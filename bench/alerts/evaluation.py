"""What evaluating the groups that alerts are in a hurry for takes, with many hosts."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from bench.alerts import targets
from bench.alerts.fleet import Fleet
from bench.alerts.servers import prometheus_over
from bench.servers import Server, ServerFailed
from bench.summary import spread
from bench.table import Row, Target, thousands
from tests.stack.alerts.services import serving

GROUPS: Final = (
    "vocabulary",
    "vocabulary-filesystems",
    "sources",
    "hosts",
    "vocabulary-rates",
    "rollups-1m",
    "host-predictions",
)
"""Those whose work grows with the hosts, and which are evaluated every minute at least."""
NEVER: Final = "0001"
"""The year of the last evaluation of a group that had none."""
MISSED: Final = re.compile(r"(?m)^prometheus_rule_group_iterations_missed_total\{.*\} (\S+)$")


class Evaluation(NamedTuple):
    """One of a group."""

    seconds: float
    """That it took."""
    interval: float


def measure(
    directory: Path,
    programs: Mapping[str, Path],
    extent: tuple[int, float, int],
    say: Callable[[str], None],
) -> list[Row]:
    """A row for each group. *extent*: hosts, seconds before it is looked at, and evaluations that are."""
    hosts, fill_seconds, evaluations = extent
    simulated = Fleet(hosts)
    with (
        serving(simulated),
        prometheus_over(directory, programs, simulated.address) as prometheus,
    ):
        say(
            f"{thousands(hosts)} hosts, {thousands(simulated.series)} series; {fill_seconds:.0f} s until rates are full"
        )
        time.sleep(fill_seconds)
        recorded = _ask(prometheus, "count(instance:cpu_utilisation:ratio)")
        if recorded != hosts:
            raise ServerFailed(f"of {hosts} hosts {recorded:.0f} have a recorded value")
        missed, cpu, began = _missed(prometheus), prometheus.cpu_seconds(), time.monotonic()
        seen: dict[str, dict[str, Evaluation]] = defaultdict(dict)

        while time.monotonic() < began + evaluations * targets.SHORT_SECONDS:
            for group in _groups(prometheus):
                if group["name"] in GROUPS and not group["lastEvaluation"].startswith(NEVER):
                    evaluated = Evaluation(group["evaluationTime"], group["interval"])
                    seen[group["name"]][group["lastEvaluation"]] = evaluated
            time.sleep(1.0)
        missed = _missed(prometheus) - missed
        cores = (prometheus.cpu_seconds() - cpu) / (time.monotonic() - began)
    rows = _rows(seen, f"{thousands(hosts)} hosts with {thousands(simulated.series)} series")
    return [
        *rows,
        Row("evaluations left out meanwhile", "", spread([missed]), must=Target("≤", 0)),
        Row("CPU of Prometheus meanwhile, scrapes and storage too", "cores", spread([cores])),
    ]


def _rows(seen: Mapping[str, Mapping[str, Evaluation]], what: str) -> list[Row]:
    rows = []
    for name in (name for name in GROUPS if seen[name]):
        evaluated = list(seen[name].values())
        interval = evaluated[0].interval
        times = [1000 * one.seconds for one in evaluated]
        hurried = interval <= targets.SHORT_SECONDS
        rows.append(
            Row(
                f"evaluation of {name}, every {interval:g} s",
                "ms",
                spread(times),
                must=Target("≤", 1000 * interval * targets.SHARE) if hurried else None,
                note=f"{what}; {len(times)} evaluations, the longest {max(times):.0f} ms",
            )
        )
    return rows


def _groups(prometheus: Server) -> list[Any]:
    groups: list[Any] = json.loads(prometheus.get("/api/v1/rules")[1])["data"]["groups"]
    return groups


def _ask(prometheus: Server, expression: str) -> float:
    """The one value that *expression* has now, 0 if it has none."""
    answer = json.loads(prometheus.get(f"/api/v1/query?{urlencode({'query': expression})}")[1])
    result = answer["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def _missed(prometheus: Server) -> float:
    """Evaluations that were due and left out, as it says itself: here it is not scraped."""
    counted = MISSED.findall(prometheus.get("/metrics")[1].decode())
    if not counted:
        raise ServerFailed("Prometheus does not count the evaluations that it leaves out")
    return sum(float(count) for count in counted)
