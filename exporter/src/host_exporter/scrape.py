"""One scrape: runs the collectors, each by itself, so that one that fails costs only its own series."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from host_exporter.collector import Collect
from host_exporter.family import Family, Value
from host_exporter.paths import HostPaths
from host_exporter.render import Format, Renderer

log = logging.getLogger(__name__)

DURATION = Family(
    "node_scrape_collector_duration_seconds",
    "gauge",
    "Time that reading and rendering one collector's values took.",
    ("collector",),
)
SUCCESS = Family(
    "node_scrape_collector_success",
    "gauge",
    "Whether a collector succeeded: 0 means that none of its series is in this scrape.",
    ("collector",),
)
FAMILIES = (DURATION, SUCCESS)


def select(enabled: Collection[str], wanted: Collection[str], unwanted: Collection[str]) -> tuple[str, ...]:
    """The names to run: those *wanted*, else all enabled but the *unwanted*; in the order of *enabled*.

    Raises ValueError if both are given or if one names no enabled collector.
    """
    if wanted and unwanted:
        raise ValueError("collect[] and exclude[] cannot be combined")
    for name in (*wanted, *unwanted):
        if name not in enabled:
            raise ValueError(f"no collector {name!r} is enabled; enabled are {', '.join(enabled)}")
    if wanted:
        return tuple(name for name in enabled if name in wanted)
    return tuple(name for name in enabled if name not in unwanted)


class Scraper:
    """Turns the host's state into an exposition. For one thread: one scrape at a time."""

    def __init__(
        self,
        collectors: Mapping[str, Collect],
        own: Callable[[], Iterable[Value]],
        paths: HostPaths,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._collectors = collectors
        self._own = own
        self._paths = paths
        self._timer = timer
        self._renderers: dict[Format, Renderer] = {}
        self._failures: dict[str, str] = {}

    @property
    def enabled(self) -> tuple[str, ...]:
        """The names of the collectors that a scrape runs if it asks for none."""
        return tuple(self._collectors)

    def scrape(self, format_: Format, names: Iterable[str]) -> bytes:
        """The exposition of the collectors *names* and of the exporter itself."""
        renderer = self._renderers.setdefault(format_, Renderer(format_))
        blocks: list[str] = []
        durations: list[Value] = []
        successes: list[Value] = []
        for name in names:
            started = self._timer()
            block = self._try(name, renderer, lambda name=name: self._collectors[name](self._paths))  # type: ignore[misc]
            blocks.append(block or "")
            durations.append((DURATION, (name,), self._timer() - started))
            successes.append((SUCCESS, (name,), int(block is not None)))
        blocks.append(renderer.render([*durations, *successes]))
        blocks.append(self._try("own process", renderer, self._own) or "")
        blocks.append(renderer.end())
        # Bytes that are not UTF-8, in a mount's name, become question marks.
        return "".join(blocks).encode("utf-8", "replace")

    def _try(self, name: str, renderer: Renderer, collect: Callable[[], Iterable[Value]]) -> str | None:
        """The lines of one source, or None if it failed: a half of them would look complete."""
        try:
            block = renderer.render(collect())
        except Exception as error:  # noqa: BLE001 - whatever one source raises must not cost the others
            self._log_failure(name, f"{type(error).__name__}: {error}")
            return None
        if self._failures.pop(name, None) is not None:
            log.info("collector works again", extra={"collector": name})
        return block

    def _log_failure(self, name: str, failure: str) -> None:
        """A warning when it starts to fail or fails otherwise than before; scrapes come every few seconds."""
        level = logging.DEBUG if self._failures.get(name) == failure else logging.WARNING
        self._failures[name] = failure
        log.log(level, "collector failed", extra={"collector": name, "error": failure})
