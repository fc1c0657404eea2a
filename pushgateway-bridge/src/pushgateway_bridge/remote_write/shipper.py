"""Sends the journal to one remote: read, send, wait, move the cursor. Runs in a thread of its own.

What is new goes first: when the remote was away, what has gathered meanwhile becomes a range of its own that is
sent in turns with what comes in, so that nobody waits for an hour's backlog to see the present. Prometheus takes
late samples for as long as ``out_of_order_time_window`` says; a remote that takes none gets all in order.

The cursor moves after a batch was taken or refused, so a crash sends it twice rather than never.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from pushgateway_bridge.model.change import Change
from pushgateway_bridge.remote_write.answer import Answer, Outcome
from pushgateway_bridge.remote_write.batch import Batch, Collector
from pushgateway_bridge.remote_write.messages import Progress
from pushgateway_bridge.remote_write.names import Names

logger = logging.getLogger(__name__)

LIVE_SECONDS: Final = 15.0
"""How old the next record may be before it counts as backlog."""
FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 20.0
REPORT_SECONDS: Final = 0.5
"""How often progress is told at most."""
LOG_DROPS_SECONDS: Final = 60.0
NO_END: Final = 2**62

REFUSED: Final = "refused"


class Changes(NamedTuple):
    """What a group commit holds."""

    position: int
    written_ms: int
    changes: Sequence[Change]


class Source(Protocol):
    """What a shipper needs of a journal."""

    def read(self, after: int, through: int, samples: int) -> Iterable[Changes]:
        """Group commits behind *after* up to *through*, oldest first, some *samples* of samples."""
        ...

    def newest_position(self) -> int:
        """The position of the newest one."""
        ...

    def learn_names(self) -> None:
        """Learn again what the numbers mean, of all that the journal holds."""
        ...


class Sender(Protocol):
    """What a shipper needs of a remote."""

    def send(self, message: bytes) -> Answer: ...


class Lane:
    """A range of the journal: sent up to *after*, to be sent up to *through*."""

    def __init__(self, after: int, through: int, collector: Collector) -> None:
        self.after = after
        self.through = through
        self.collector = collector

    @property
    def done(self) -> bool:
        return self.after >= self.through


class Stopped(Exception):
    """The bridge stops; the batch in hand was not sent."""


class Shipper:
    """One remote. ``run`` until ``stop``."""

    def __init__(
        self,
        remote: str,
        cursor: int,
        source: Source,
        sender: Sender,
        names: Names,
        report: Callable[[Progress], None],
        *,
        max_samples: int,
        late_samples: bool = True,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._remote = remote
        self._source = source
        self._sender = sender
        self._report = report
        self._max_samples = max_samples
        self._late_samples = late_samples
        self._now_ms = now_ms
        self._jitter = jitter
        self._names = names
        self._live = Lane(cursor, NO_END, self._new_collector())
        self._backlog: list[Lane] = []
        """Oldest first."""
        self._stopping = False
        self._changed = threading.Event()
        self._sent = 0
        self._retried = 0
        self._dropped: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._waiting = ""
        self._waiting_since = 0.0
        self._reasons_logged: set[str] = set()
        """Since it waits."""
        self._drops_logged = -LOG_DROPS_SECONDS
        self._drops_unlogged = 0
        self._reported: Progress | None = None
        self._reported_at = 0.0
        self._skip_through = 0

    def _new_collector(self) -> Collector:
        return Collector(self._names, self._count_dropped)

    # From other threads

    def wake(self) -> None:
        """There is something new."""
        self._changed.set()

    def stop(self) -> None:
        """End soon; what is not sent is sent after the next start."""
        self._stopping = True
        self._changed.set()

    def skip(self, position: int) -> None:
        """Do not send what stands up to *position* any more."""
        self._skip_through = max(self._skip_through, position)
        self._changed.set()

    # The thread

    def run(self) -> None:
        """Ship until ``stop``."""
        try:
            while not self._stopping:
                self._changed.clear()
                if not self.ship_some():
                    self._tell(force=True)
                    self._changed.wait()
        except Stopped:
            pass
        finally:
            self._tell(force=True)

    def ship_some(self) -> bool:
        """Send a batch of what is new and one of the backlog; return whether there was anything. Raises Stopped."""
        self._obey_skip()
        shipped = self._ship_lane(self._live)
        while self._backlog and self._backlog[0].done:
            del self._backlog[0]
        if self._backlog:
            shipped = True
            if not self._ship_lane(self._backlog[0]):
                self._backlog[0].after = self._backlog[0].through  # the rest was freed
        self._tell()
        return shipped

    @property
    def position(self) -> int:
        """All up to here was sent, or dropped and counted."""
        return self._backlog[0].after if self._backlog else self._live.after

    def _ship_lane(self, lane: Lane) -> bool:
        through = lane.after
        found = list(self._source.read(lane.after, lane.through, self._max_samples))
        if not found:
            return False
        if self._late_samples and lane is self._live and self._is_old(found[0]):
            self._set_backlog_apart()
            return True
        for position, _written_ms, changes in found:
            for change in changes:
                lane.collector.add(position, change)
                if lane.collector.samples >= self._max_samples:
                    self._send(lane.collector.take())
            through = position
        if lane.collector.samples:
            self._send(lane.collector.take())
        lane.after = through
        return True

    def _is_old(self, first: Changes) -> bool:
        return self._now_ms() - first.written_ms > LIVE_SECONDS * 1000

    def _set_backlog_apart(self) -> None:
        """Go on with what comes in from now on; what is there becomes a lane of the backlog."""
        newest = self._source.newest_position()
        self._source.learn_names()  # of what is skipped here, the new lane would not know
        self._live.through = newest
        self._backlog.append(self._live)
        self._live = Lane(newest, NO_END, self._new_collector())

    def _obey_skip(self) -> None:
        for lane in (*self._backlog, self._live):
            lane.after = max(lane.after, min(self._skip_through, lane.through))

    def _send(self, batch: Batch) -> None:
        """Send *batch*, split if need be, until all of it was taken or refused. Raises Stopped."""
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            answer = self._send_until_answered(part)
            if answer.outcome is Outcome.SENT:
                self._sent += part.samples
            elif answer.outcome is Outcome.SPLIT and part.samples > 1:
                first, second = part.halves()
                waiting += [second, first]
            else:
                self._count_dropped(REFUSED, part.samples)
                self._log_drop(part.samples, answer)
            self._tell()

    def _send_until_answered(self, batch: Batch) -> Answer:
        """Send until it is said what is to become of it. Raises Stopped."""
        message = batch.encode()
        waits = self._waits()
        while True:
            answer = self._sender.send(message)
            self._requests[answer.outcome.name.lower()] += 1
            if answer.outcome is not Outcome.RETRY:
                self._note_taken()
                return answer
            self._retried += batch.samples
            self._note_waiting(answer)
            self._sleep(max(next(waits), answer.retry_after_seconds))

    def _waits(self) -> Iterator[float]:
        """Seconds to wait before each try: growing, and not the same for all bridges."""
        wait = FIRST_WAIT_SECONDS
        while True:
            yield wait * (0.5 + self._jitter())
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _sleep(self, seconds: float) -> None:
        """Raises Stopped."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
            self._changed.clear()
        if self._stopping:
            raise Stopped

    # What is told

    def _note_waiting(self, answer: Answer) -> None:
        if not self._waiting:
            self._waiting_since = time.monotonic()
            self._reasons_logged.clear()
        self._waiting = answer.reason
        if answer.reason not in self._reasons_logged:  # a remote may go to and fro between two of them
            self._reasons_logged.add(answer.reason)
            logger.warning(
                "remote write waits remote=%s reason=%s detail=%r", self._remote, answer.reason, answer.detail
            )
        self._tell()

    def _note_taken(self) -> None:
        if self._waiting:
            logger.info(
                "remote write goes on remote=%s after_seconds=%.1f",
                self._remote,
                time.monotonic() - self._waiting_since,
            )
            self._waiting = ""

    def _log_drop(self, samples: int, answer: Answer) -> None:
        self._drops_unlogged += samples
        if time.monotonic() - self._drops_logged < LOG_DROPS_SECONDS:
            return
        self._drops_logged = time.monotonic()
        logger.warning(
            "remote refused samples remote=%s samples=%d reason=%s detail=%r",
            self._remote,
            self._drops_unlogged,
            answer.reason,
            answer.detail,
        )
        self._drops_unlogged = 0

    def _count_dropped(self, reason: str, samples: int) -> None:
        self._dropped[reason] += samples

    def progress(self) -> Progress:
        """Where things stand."""
        return Progress(
            self._remote,
            self.position,
            self._sent,
            self._retried,
            dict(self._dropped),
            dict(self._requests),
            self._waiting,
        )

    def _tell(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._reported_at >= REPORT_SECONDS:
            progress = self.progress()
            if progress != self._reported:
                self._report(progress)
                self._reported = progress
            self._reported_at = now
