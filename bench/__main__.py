"""``python -m bench bridge``: measure, print the table, and fail if a must does not hold."""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

import click

from bench import machine, report
from bench.bridge.comparison import PARTS, WITH_PUSHGATEWAY, compare
from bench.bridge.rounds import Noise, Settings
from bench.generator import LoadFailed
from bench.servers import ServerFailed
from bench.table import failed, replace_between
from stack import tools
from stack.errors import StackError

CHECKOUT = Path(__file__).resolve().parents[1]
OUTPUT = CHECKOUT / "build" / "bench"
ROUNDS, SECONDS = 5, 3.0
QUICK_ROUNDS, QUICK_SECONDS = 2, 1.0
PEER_MODES = (
    "started with --persistence.file= (nothing on disk), and with --push.disable-consistency-check where the row "
    "does not say \N{LEFT DOUBLE QUOTATION MARK}as it ships\N{RIGHT DOUBLE QUOTATION MARK}"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Compare with peers, side by side in one run. docs/benchmarks.md has the method."""


@main.command()
@click.option("--rounds", type=click.IntRange(1), help=f"Rounds, {ROUNDS} unless --quick.")
@click.option(
    "--seconds", type=click.FloatRange(0.5, 60), help=f"Of each measurement, {SECONDS:g} unless --quick."
)
@click.option(
    "--quick", is_flag=True, help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS:g} s: is the tool right?"
)
@click.option("--connections", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option(
    "--groups",
    type=click.IntRange(1, 100_000),
    multiple=True,
    default=(1, 1_000, 10_000),
    show_default=True,
    help="Numbers of groups of the part pushes.",
)
@click.option(
    "--only", "parts", type=click.Choice(list(PARTS)), multiple=True, help="Parts, all unless given."
)
@click.option(
    "--document",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File in which to put the table between <!-- bridge --> and <!-- /bridge -->.",
)
@click.option("--mark", default="bridge", show_default=True, help="What these two lines say instead.")
def bridge(
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
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        [program] = tools.fetch(["pushgateway"]).values()
        with tempfile.TemporaryDirectory(dir=OUTPUT, prefix="run-") as folder:
            settings = Settings(
                rounds=rounds or (QUICK_ROUNDS if quick else ROUNDS),
                seconds=seconds or (QUICK_SECONDS if quick else SECONDS),
                connections=connections,
                groups=groups,
                folder=Path(folder),
                pushgateway=program,
                say=lambda line: click.echo(line, err=True),
            )
            described, load_before, noise = machine.describe(Path(folder)), os.getloadavg(), Noise()
            noise.look()
            chosen = parts or tuple(PARTS)
            rows = compare(settings, noise, chosen)
    except (StackError, ServerFailed, LoadFailed) as error:
        click.echo(f"no table: {error}", err=True)
        sys.exit(3)
    conditions = report.Conditions(
        machine=described,
        peer=_peer(program) if WITH_PUSHGATEWAY.intersection(chosen) else "",
        rounds=settings.rounds,
        seconds=settings.seconds,
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
    (OUTPUT / "bridge.json").write_bytes(report.to_json(conditions, rows, now))
    if document is not None:
        table = f"Measured on {now:%Y-%m-%d}.\n\n{text}"
        document.write_text(replace_between(document.read_text(), mark, table))
    sys.exit(1 if failed(rows) else 0)


def _peer(program: Path) -> str:
    """Version and mode of Pushgateway."""
    return f"{tools.version(program).partition(' (')[0]}, {PEER_MODES}"


if __name__ == "__main__":
    main()
