"""One scrape: runs the collectors, each by itself, so that one that fails or hangs costs only its own series."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from host_exporter.collector import Collect, NoDataError
from host_exporter.compression import compress
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

STILL_HANGS: Final = "still hangs since an earlier scrape"


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


class Session:
    """What one thread reads and renders with. A thread that hangs keeps its own, and another gets a new one."""

    def __init__(self, paths: HostPaths) -> None:
        self.paths = paths
        self._renderers: dict[Format, Renderer] = {}

    def renderer(self, format_: Format) -> Renderer:
        """The one that knows what was rendered in this format before."""
        return self._renderers.setdefault(format_, Renderer(format_))

    def close(self) -> None:
        """Close the host's files."""
        self.paths.close()


class Scraper:
    """All that scrapes have in common: the collectors, and which of them failed or hang."""

    def __init__(
        self,
        collectors: Mapping[str, Collect],
        own: Callable[[], Iterable[Value]],
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.collectors = collectors
        self.own = own
        self.timer = timer
        self.lock = threading.Lock()
        self.hanging: set[str] = set()
        """Collectors that a thread was left in; under the lock."""
        self._failures: dict[str, str] = {}

    @property
    def enabled(self) -> tuple[str, ...]:
        """The names of the collectors that a scrape runs if it asks for none."""
        return tuple(self.collectors)

    def scrape(self, session: Session, format_: Format, names: Iterable[str]) -> bytes:
        """The exposition of the collectors *names* and of the exporter itself, however long it takes."""
        body = Scrape(self, format_, names).run(session)
        assert body is not None, "nobody else could let it go"
        return body

    def note_success(self, name: str) -> None:
        """Tell once that a source that failed works again."""
        if self._failures.pop(name, None) is not None:
            log.info("collector works again", extra={"collector": name})

    def note_failure(self, name: str, failure: str, *, expected: bool = False) -> None:
        """A warning when it starts to fail or fails otherwise than before; scrapes come every few seconds."""
        known = expected or self._failures.get(name) == failure
        self._failures[name] = failure
        log.log(
            logging.DEBUG if known else logging.WARNING,
            "collector failed",
            extra={"collector": name, "error": failure},
        )


class Scrape:
    """One scrape on its way. The thread that runs it can be let go when a collector hangs, and another goes on."""

    def __init__(
        self, scraper: Scraper, format_: Format, names: Iterable[str], *, compress: bool = False
    ) -> None:
        self._scraper = scraper
        self._format = format_
        self._compress = compress
        self._waiting = list(reversed([*names]))
        self._blocks: list[str] = []
        self._durations: list[Value] = []
        self._successes: list[Value] = []
        self._turn = 0
        self._current: tuple[str, float] | None = None

    def run(self, session: Session) -> bytes | None:
        """The whole exposition, gzipped if that was asked for; ``None`` if this thread was let go meanwhile."""
        turn = self._turn
        renderer = session.renderer(self._format)
        while (name := self._begin_next()) is not None:
            block = self._try(name, renderer, lambda name=name: self._scraper.collectors[name](session.paths))  # type: ignore[misc]
            if not self._ended(turn, name, block):
                session.close()
                return None
        self._blocks.append(renderer.render([*self._durations, *self._successes], "scrape"))
        self._blocks.append(self._try("own process", renderer, self._scraper.own) or "")
        self._blocks.append(renderer.end())
        # Bytes that are not UTF-8, in a mount's name, become question marks.
        body = "".join(self._blocks).encode("utf-8", "replace")
        return compress(body) if self._compress else body

    def current(self) -> tuple[str, float] | None:
        """The collector that runs, and since when (seconds of the scraper's timer)."""
        return self._current

    def let_go(self, name: str, failure: str) -> bool:
        """Give the thread up that is in collector *name*; another may ``run`` the rest. ``False`` if it just ended."""
        with self._scraper.lock:
            current = self._current
            if current is None or current[0] != name:
                return False
            self._turn += 1
            self._scraper.hanging.add(name)
            self._record(name, self._scraper.timer() - current[1], None)
        self._scraper.note_failure(name, failure)
        return True

    def _begin_next(self) -> str | None:
        with self._scraper.lock:
            while self._waiting:
                name = self._waiting.pop()
                if name not in self._scraper.hanging:
                    self._current = name, self._scraper.timer()
                    return name
                self._record(name, 0.0, None)
                self._scraper.note_failure(name, STILL_HANGS, expected=True)
            return None

    def _ended(self, turn: int, name: str, block: str | None) -> bool:
        """Note what collector *name* gave; ``False`` if nobody waits for it any more."""
        with self._scraper.lock:
            if turn != self._turn:
                self._scraper.hanging.discard(name)
                return False
            assert self._current is not None, "only let_go takes it away, and changes the turn"
            self._record(name, self._scraper.timer() - self._current[1], block)
            return True

    def _record(self, name: str, seconds: float, block: str | None) -> None:
        self._current = None
        self._blocks.append(block or "")
        self._durations.append((DURATION, (name,), seconds))
        self._successes.append((SUCCESS, (name,), int(block is not None)))

    def _try(self, name: str, renderer: Renderer, collect: Callable[[], Iterable[Value]]) -> str | None:
        """The lines of one source, or ``None`` if it failed: a half of them would look complete."""
        try:
            block = renderer.render(collect(), name)
        except NoDataError as error:
            self._scraper.note_failure(name, f"no data: {error}", expected=True)
            return None
        except Exception as error:  # noqa: BLE001 - whatever one source raises must not cost the others
            self._scraper.note_failure(name, f"{type(error).__name__}: {error}")
            return None
        self._scraper.note_success(name)
        return block
