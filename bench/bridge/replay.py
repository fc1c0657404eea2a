"""How fast a bridge starts from records that no checkpoint covers."""

from __future__ import annotations

import re
import shutil

from bench import generator
from bench.bridge import targets
from bench.bridge.rounds import Contender, Settings
from bench.noise import Noise
from bench.pushes import GAUGES
from bench.servers import Bridge, Server, ServerFailed
from bench.summary import spread
from bench.table import Row, thousands

WITHOUT_CHECKPOINTS = "--journal.checkpoint-interval-seconds=86400"
_READY = re.compile(r"ready records=(\d+) samples=(\d+)")
_SECONDS = re.compile(r"^telemetry_journal_replay_seconds (\S+)$", re.MULTILINE)


def replay(settings: Settings, noise: Noise) -> list[Row]:
    """Push, kill, then start on copies of the journal."""
    settings.say("replay of a journal")
    written = Bridge(settings.folder, "replayed", "bench.gauges", (WITHOUT_CHECKPOINTS,))
    contender = Contender(written, GAUGES, targets.MANY_GROUPS)
    with written:
        contender.fill(settings)
        noise.note(generator.run(contender.plan(settings._replace(seconds=2 * settings.seconds))))
        written.kill()  # a bridge that is asked to end writes a checkpoint
    rates = []
    for number in range(settings.rounds):
        # Each start may journal what has expired since, so each gets a journal as it was left.
        name = f"replayed-{number}"
        shutil.copytree(settings.folder / "replayed", settings.folder / name)
        noise.look()
        with Bridge(settings.folder, name, "bench.gauges", (WITHOUT_CHECKPOINTS,)) as server:
            records, samples = parse_ready(server.log())
            rates.append(samples / replay_seconds(server))
    note = f"{thousands(records)} records with {thousands(samples)} samples"
    return [
        Row(
            "replay, samples",
            "/s",
            spread(rates),
            must=targets.REPLAY_SAMPLES_PER_SECOND,
            note=note,
        )
    ]


def parse_ready(log: str) -> tuple[int, int]:
    """Records and samples that the bridge said it has read. Raises ServerFailed if it did not, or if it read none."""
    match = _READY.search(log)
    if match is None or match[2] == "0":
        raise ServerFailed(f"the bridge replayed nothing: {log[-300:]}")
    return int(match[1]), int(match[2])


def replay_seconds(server: Server) -> float:
    """What the bridge says of itself. Raises ServerFailed if it says nothing."""
    match = _SECONDS.search(server.get("/metrics")[1].decode())
    if match is None:
        raise ServerFailed(f"{server.name} shows no telemetry_journal_replay_seconds")
    return float(match[1])
