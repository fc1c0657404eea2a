"""``python -m bench bridge|exporter|dashboards|alerts``: measure, print the table, and fail if a must does not hold."""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from bench import machine, report
from bench.alerts import comparison as alert_parts
from bench.alerts import targets as alert_targets
from bench.bridge import comparison as bridge_parts
from bench.bridge.rounds import Settings as BridgeSettings
from bench.dashboards import comparison as dashboard_parts
from bench.dashboards import targets as dashboard_targets
from bench.exporter import comparison as exporter_parts
from bench.exporter.contenders import Settings as ExporterSettings
from bench.generator import LoadFailed
from bench.noise import Noise
from bench.servers import ServerFailed
from bench.table import Row, failed, replace_between
from stack import parts as stack_parts
from stack import tools
from stack.errors import StackError

CHECKOUT = Path(__file__).resolve().parents[1]
OUTPUT = CHECKOUT / "build" / "bench"
ROUNDS, SECONDS = 5, 3.0
QUICK_ROUNDS, QUICK_SECONDS = 2, 1.0
MINUTE, QUICK_MINUTE = 60.0, 8.0
PUSHGATEWAY_MODES = (
    "started with --persistence.file= (nothing on disk), and with --push.disable-consistency-check where the row "
    "does not say \N{LEFT DOUBLE QUOTATION MARK}as it ships\N{RIGHT DOUBLE QUOTATION MARK}"
)
NODE_EXPORTER_MODES = (
    "started with its defaults (one thread for Go: --runtime.gomaxprocs=1), and with --collector.disable-defaults "
    "and the same collectors as ours where the row says so"
)

Command = TypeVar("Command", bound=Callable[..., Any])


def measuring(name: str, parts: list[str]) -> Callable[[Command], Command]:
    """The options that every comparison has; *name* is its own, which stands in the document's marks."""
    options = (
        click.option("--rounds", type=click.IntRange(1), help=f"Rounds, {ROUNDS} unless --quick."),
        click.option(
            "--seconds",
            type=click.FloatRange(0.5, 60),
            help=f"Of each measurement, {SECONDS:g} unless --quick.",
        ),
        click.option(
            "--quick",
            is_flag=True,
            help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS:g} s: is the tool right?",
        ),
        click.option(
            "--only", "parts", type=click.Choice(parts), multiple=True, help="Parts, all unless given."
        ),
        click.option(
            "--document",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help=f"File in which to put the table between <!-- {name} --> and <!-- /{name} -->.",
        ),
        click.option("--mark", default=name, show_default=True, help="What these two lines say instead."),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Compare with peers, side by side in one run. docs/benchmarks.md has the method."""


@main.command("bridge")
@measuring("bridge", list(bridge_parts.PARTS))
@click.option("--connections", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option(
    "--groups",
    type=click.IntRange(1, 100_000),
    multiple=True,
    default=(1, 1_000, 10_000),
    show_default=True,
    help="Numbers of groups of the part pushes.",
)
def compare_bridges(
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    connections: int,
    groups: tuple[int, ...],
    parts: tuple[str, ...],
    document: Path | None,
    mark: str,
) -> None:
    """Compare the push bridge with Debian's Pushgateway; exit code 1 if a must does not hold, 3 without a table."""
    chosen = parts or tuple(bridge_parts.PARTS)
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = seconds or (QUICK_SECONDS if quick else SECONDS)

    def measure(program: Path, folder: Path, noise: Noise) -> list[Row]:
        settings = BridgeSettings(rounds, seconds, connections, groups, folder, program, _say)
        return bridge_parts.compare(settings, noise, chosen)

    peer_modes = PUSHGATEWAY_MODES if bridge_parts.WITH_PUSHGATEWAY.intersection(chosen) else ""
    _publish("bridge", "pushgateway", peer_modes, measure, (rounds, seconds, connections), document, mark)


@main.command("exporter")
@measuring("exporter", list(exporter_parts.PARTS))
@click.option(
    "--paced-seconds",
    type=click.FloatRange(2, 3600),
    help=f"How long all are scraped every two seconds, {MINUTE:g} unless --quick.",
)
@click.option(
    "--idle-seconds",
    type=click.FloatRange(1, 3600),
    help=f"How long nothing is asked, {MINUTE:g} unless --quick.",
)
def compare_exporters(
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    paced_seconds: float | None,
    idle_seconds: float | None,
    parts: tuple[str, ...],
    document: Path | None,
    mark: str,
) -> None:
    """Compare the exporter with Debian's node_exporter; exit code 1 if a must does not hold, 3 without a table."""
    chosen = parts or tuple(exporter_parts.PARTS)
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = seconds or (QUICK_SECONDS if quick else SECONDS)
    minute = QUICK_MINUTE if quick else MINUTE

    def measure(program: Path, folder: Path, noise: Noise) -> list[Row]:
        settings = ExporterSettings(
            rounds, seconds, paced_seconds or minute, idle_seconds or minute, folder, program, _say
        )
        return exporter_parts.compare(settings, noise, chosen)

    _publish("exporter", "node_exporter", NODE_EXPORTER_MODES, measure, (rounds, seconds, 1), document, mark)


@main.command("dashboards")
@measuring("dashboards", list(dashboard_parts.PARTS))
@click.option("--hosts", type=click.IntRange(1, 1000), help=f"{dashboard_targets.HOSTS} unless --quick.")
@click.option("--days", type=click.IntRange(1, 365), help=f"{dashboard_targets.DAYS} unless --quick.")
def ask_dashboards(
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    hosts: int | None,
    days: int | None,
    parts: tuple[str, ...],
    document: Path | None,
    mark: str,
) -> None:
    """Ask what every panel asks over a month; exit code 1 if a must does not hold, 3 without a table.

    A round is each query once, however long it takes: --seconds means nothing here.
    """
    del seconds
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    hosts = hosts or (dashboard_targets.QUICK_HOSTS if quick else dashboard_targets.HOSTS)
    days = days or (dashboard_targets.QUICK_DAYS if quick else dashboard_targets.DAYS)

    def measure(program: Path, folder: Path, noise: Noise) -> list[Row]:
        [promtool] = tools.fetch(["promtool"]).values()
        settings = dashboard_parts.Settings(rounds, hosts, days, folder, program, promtool, _say)
        return dashboard_parts.compare(settings, noise, parts or dashboard_parts.PARTS)

    asked = f"asked about {days} days of {hosts} hosts"
    _publish("dashboards", "prometheus", asked, measure, (rounds, 0.0, 1), document, mark)


@main.command("alerts")
@measuring("alerts", list(alert_parts.PARTS))
@click.option("--hosts", type=click.IntRange(1, 20_000), help=f"{alert_targets.HOSTS} unless --quick.")
def time_alerts(
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    hosts: int | None,
    parts: tuple[str, ...],
    document: Path | None,
    mark: str,
) -> None:
    """Time messages from a push to the chat, and rules over many hosts; exit code as the others.

    All of it is done once, however long it takes: --rounds and --seconds mean nothing here.
    """
    del rounds, seconds
    hosts = hosts or (alert_targets.QUICK_HOSTS if quick else alert_targets.HOSTS)

    def measure(program: Path, folder: Path, noise: Noise) -> list[Row]:
        del program
        programs = {**stack_parts.our_programs(), **tools.fetch(tools.STACK_PROGRAMS)}
        settings = alert_parts.Settings(hosts, quick, folder, programs, _say)
        return alert_parts.compare(settings, noise, parts or alert_parts.PARTS)

    _publish("alerts", "prometheus", "with the shipped rules", measure, (1, 0.0, 1), document, mark)


def _publish(
    name: str,
    peer: str,
    peer_modes: str,
    measure: Callable[[Path, Path, Noise], list[Row]],
    extent: tuple[int, float, int],
    document: Path | None,
    mark: str,
) -> NoReturn:
    """Measure with the program *peer*; print, keep and put into *document* what was found; end with the exit code.

    *extent* is rounds, seconds and connections. Without *peer_modes* the peer is not named.
    """
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        [program] = tools.fetch([peer]).values()
        with tempfile.TemporaryDirectory(dir=OUTPUT, prefix="run-") as folder:
            described, load_before, noise = machine.describe(Path(folder)), os.getloadavg(), Noise()
            noise.look()
            rows = measure(program, Path(folder), noise)
    except (StackError, ServerFailed, LoadFailed) as error:
        click.echo(f"no table: {error}", err=True)
        sys.exit(3)
    rounds, seconds, connections = extent
    conditions = report.Conditions(
        machine=described,
        peer=f"{tools.version(program).partition(' (')[0]}, {peer_modes}" if peer_modes else "",
        rounds=rounds,
        seconds=seconds,
        connections=connections,
        load_before=load_before,
        load_after=os.getloadavg(),
        loop_seconds=noise.loop_seconds,
        other_cores=noise.other_cores,
        generator_cpu_us=noise.generator_cpu_us,
    )
    text = report.to_text(conditions, rows)
    click.echo(text)
    now = dt.datetime.now(dt.UTC)
    (OUTPUT / f"{name}.json").write_bytes(report.to_json(conditions, rows, now))
    if document is not None:
        table = f"Measured on {now:%Y-%m-%d}.\n\n{text}"
        document.write_text(replace_between(document.read_text(), mark, table))
    sys.exit(1 if failed(rows) else 0)


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
