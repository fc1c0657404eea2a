"""A server's memory after scrapes, and how soon it ends when it is asked to."""

from __future__ import annotations

from bench.exporter import targets
from bench.exporter.contenders import Settings, all_defaults, connected
from bench.noise import Noise
from bench.summary import spread
from bench.table import Row, compared

SCRAPES = 200
MEBIBYTE = 2**20


def life(settings: Settings, noise: Noise) -> list[Row]:
    """Both as they ship, started anew in each round."""
    settings.say("memory, and the end")
    pair = all_defaults(settings)
    resident_mib: list[list[float]] = [[] for _ in pair.servers]
    end_ms: list[list[float]] = [[] for _ in pair.servers]
    for _ in range(settings.rounds):
        noise.look()
        for server, resident, ends in zip(pair.servers, resident_mib, end_ms, strict=True):
            with server, connected(server) as scraper:
                for _ in range(SCRAPES):
                    scraper.scrape()
                resident.append(server.resident_bytes() / MEBIBYTE)
                ends.append(server.end() * 1000)
    (peer_mib, our_mib), (peer_ms, our_ms) = resident_mib, end_ms
    memory = f"resident memory after {SCRAPES} scrapes, {pair.label}"
    return [
        compared(memory, "MiB", our_mib, peer_mib, targets.MEMORY, targets.MEMORY_AIM),
        Row(f"{memory}, by itself", "MiB", spread(our_mib), must=targets.MEMORY_MIB),
        Row(
            "from SIGTERM to the end, a connection open",
            "ms",
            spread(our_ms),
            spread(peer_ms),
            must=targets.END_MS,
            note=f"the longest of {settings.rounds}: peer {max(peer_ms):.3g} ms, ours {max(our_ms):.3g} ms",
        ),
    ]
