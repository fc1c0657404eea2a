"""How fast samples leave the bridge by remote write, and what that costs those who push."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from bench import generator
from bench.bridge import targets
from bench.bridge.push_rates import rates
from bench.bridge.rounds import Contender, Settings, started
from bench.gauges import RECEIVED_TIMES_VARIABLE
from bench.load import Result
from bench.noise import Noise
from bench.pushes import GAUGES
from bench.servers import PROMISED_PORTS, Bridge, Server, ServerFailed, free_port
from bench.sink import Sink
from bench.summary import spread
from bench.table import Row, Target, compared, thousands
from stack import tools

GROUPS = 1_000
DRAIN_SECONDS = 300.0
POLL_SECONDS = 0.1
PROMETHEUS_YML = "storage: {tsdb: {out_of_order_time_window: 25h}}\n"
_METRIC = r"^telemetry_remote_write_{name}(?:\{{[^}}]*\}})? (\S+)$"
# The load generator renders its pushes beforehand, times included. A second value for one time would not be sent.
Measure = Callable[[Settings, Bridge, int], float]
"""Starts a remote at a port, and tells at how many samples a second it got the backlog."""
ENVIRONMENT = {RECEIVED_TIMES_VARIABLE: "1"}


def remote_write(settings: Settings, noise: Noise) -> list[Row]:
    """Into a sink, into Prometheus, and the push rate meanwhile."""
    return [
        _backlog(settings, noise, "a sink", targets.SINK_SAMPLES_PER_SECOND, _sink_rate),
        _backlog(settings, noise, "Prometheus", targets.PROMETHEUS_SAMPLES_PER_SECOND, _prometheus_rate),
        _pushes_while_shipping(settings, noise),
    ]


def _backlog(settings: Settings, noise: Noise, what: str, must: Target, measure: Measure) -> Row:
    """Push while the remote is away, then start it and see how long it takes until all is there."""
    settings.say(f"remote write into {what}")
    found, samples = [], 0
    for number in range(settings.rounds):
        noise.look()
        port = free_port(PROMISED_PORTS)
        bridge = _bridge(settings.folder, f"{what.replace(' ', '-')}-{number}", port)
        contender = Contender(bridge, GAUGES, GROUPS)
        with bridge:
            noise.note(generator.run(contender.plan(settings._replace(seconds=2 * settings.seconds))))
            samples = round(value(bridge, "pending_samples"))
            found.append(measure(settings, bridge, port))
            check_all_sent(bridge, samples)
    note = f"{thousands(samples)} samples of {thousands(GROUPS * 10)} series in the last round"
    return Row(f"remote write into {what}, samples", "/s", spread(found), must=must, note=note)


def _sink_rate(settings: Settings, bridge: Bridge, port: int) -> float:
    sink = Sink(settings.folder, port)
    with sink:
        wait_until_sent(bridge)
        return sink.stats().samples_per_second


def _prometheus_rate(settings: Settings, bridge: Bridge, port: int) -> float:
    """From the first progress that is seen to the last; the bridge tells of it twice a second."""
    with Prometheus(settings.folder / f"prometheus-{port}", port):
        seen: list[tuple[float, float]] = []
        deadline = time.monotonic() + DRAIN_SECONDS
        while value(bridge, "pending_samples"):
            sent = value(bridge, "samples_sent_total")
            if sent and (not seen or sent > seen[-1][1]):
                seen.append((time.perf_counter(), sent))
            if time.monotonic() > deadline:
                raise ServerFailed("Prometheus did not take the backlog")
            time.sleep(POLL_SECONDS)
    if len(seen) < 2:
        raise ServerFailed("the backlog was too short to be measured")
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began)


def _pushes_while_shipping(settings: Settings, noise: Noise) -> Row:
    """The same bridge with a remote that keeps up, and without one."""
    settings.say("pushes while shipping")
    port = free_port(PROMISED_PORTS)
    scraped = Bridge(settings.folder, "not-shipping", "bench.gauges", environment=ENVIRONMENT)
    shipping = _bridge(settings.folder, "shipping", port)
    contenders = (Contender(scraped, GAUGES, GROUPS), Contender(shipping, GAUGES, GROUPS))
    found: tuple[list[Result], list[Result]] = ([], [])
    behind = []
    with Sink(settings.folder, port), started(settings, *contenders):
        for _ in range(settings.rounds):
            noise.look()
            for contender, results in zip(contenders, found, strict=True):
                with contender.server.awake():
                    results.append(generator.run(contender.plan(settings)))
                    if contender.server is shipping:
                        behind.append(value(shipping, "pending_samples"))
                        wait_until_sent(shipping)  # or it would go on while the other is measured
                        check_all_sent(shipping, 0)
                noise.note(results[-1])
    note = (
        f"behind at the end of a round: {thousands(round(max(behind)))} samples at most, of "
        f"{thousands(round(found[1][-1].rate * settings.seconds * 10))} that were pushed in it"
    )
    return compared(
        "pushes while all is shipped, against none",
        "/s",
        rates(found[1]),
        rates(found[0]),
        targets.RATE_WHILE_SHIPPING,
        note=note,
    )


def _bridge(folder: Path, name: str, port: int) -> Bridge:
    arguments = ("--delivery=remote_write", f"--remote-write.url=http://127.0.0.1:{port}/api/v1/write")
    return Bridge(folder, name, "bench.gauges", arguments, ENVIRONMENT)


class Prometheus(Server):
    """The real one, with nothing to scrape."""

    def __init__(self, folder: Path, port: int) -> None:
        [program] = tools.fetch(["prometheus"]).values()
        folder.mkdir()
        (folder / "prometheus.yml").write_text(PROMETHEUS_YML)
        command = [
            str(program),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address={address}",
            "--web.enable-remote-write-receiver",
        ]
        super().__init__("Prometheus", command, folder / "log", port=port)


def value(bridge: Server, name: str) -> float:
    """A self-metric about remote write, summed over its labels. Raises ServerFailed if it is not shown."""
    text = bridge.get("/metrics?class[]=undelivered")[1].decode()
    found = re.findall(_METRIC.format(name=name), text, re.MULTILINE)
    if not found:
        raise ServerFailed(f"{bridge.name} shows no telemetry_remote_write_{name}")
    return sum(map(float, found))


def wait_until_sent(bridge: Bridge) -> None:
    """Raises ServerFailed if something waits after DRAIN_SECONDS."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while value(bridge, "pending_samples"):
        if time.monotonic() > deadline:
            raise ServerFailed(f"{bridge.name} did not send all: {bridge.log()[-300:]}")
        time.sleep(POLL_SECONDS)


def check_all_sent(bridge: Bridge, least: int) -> None:
    """Raises ServerFailed if fewer than *least* samples were sent, or over a hundredth dropped: no achievement."""
    sent, dropped = value(bridge, "samples_sent_total"), value(bridge, "samples_dropped_total")
    if sent + dropped < least or dropped > sent / 100:
        raise ServerFailed(f"{bridge.name}: expected {least} samples sent, got {sent}, and {dropped} dropped")
