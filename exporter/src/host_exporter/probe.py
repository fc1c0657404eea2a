"""``statvfs`` with a time limit: on a dead network mount the call itself never returns."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import TypeAlias

from host_exporter.worker import Worker

CALL_LIMIT_SECONDS = 0.5
"""How long the mounts asked in one go may take before the one that is being asked counts as hanging."""

SCRAPE_LIMIT_SECONDS = 2.0
"""How long all mounts together may take: Prometheus gives a scrape at most its interval, here 5 s."""

MAX_HANGING = 4
"""How many threads may hang at the same time. While so many do, no mount is asked at all."""

TIMED_OUT = "mountpoint timeout"
"""What node_exporter's ``device_error`` says of a mount that does not answer."""

Space: TypeAlias = os.statvfs_result | OSError
StatVfs: TypeAlias = Callable[[str], os.statvfs_result]


class MountProbe:
    """Asks for the space of mounts in a thread of its own, and lets go of a thread that hangs.

    A mount that hangs is not asked again until that call has come back; it costs only the scrape
    that found it ``CALL_LIMIT_SECONDS``.
    """

    def __init__(self, statvfs: StatVfs = os.statvfs, call_limit_seconds: float = CALL_LIMIT_SECONDS) -> None:
        self._statvfs = statvfs
        self._call_limit_seconds = call_limit_seconds
        self._worker: Worker | None = None
        self._lock = threading.Lock()
        self._hanging: set[str] = set()

    def ask(self, paths: Sequence[str], local: Collection[str] = ()) -> list[Space]:
        """The space of each of *paths*, or why there is none, in their order.

        Those that are *local* cannot hang, and are asked right here: another thread costs more than the question.
        """
        answers = {path: _asked(self._statvfs, path) for path in local}
        deadline = time.monotonic() + SCRAPE_LIMIT_SECONDS
        while (waiting := self._askable(paths, answers)) and time.monotonic() < deadline:
            answers |= self._ask_in_one_go(waiting)
        return [answers.get(path) or OSError(TIMED_OUT) for path in paths]

    def close(self) -> None:
        """End the thread; one that hangs ends with the process."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _askable(self, paths: Sequence[str], answers: dict[str, Space]) -> list[str]:
        """Each path once: where one mount covers another, both have the same."""
        with self._lock:
            if len(self._hanging) >= MAX_HANGING:
                return []
            return [
                path for path in dict.fromkeys(paths) if path not in answers and path not in self._hanging
            ]

    def _ask_in_one_go(self, paths: list[str]) -> dict[str, Space]:
        """Answers up to the first mount that hangs."""
        self._worker = self._worker or Worker("statvfs")
        batch = _Batch(paths, self._statvfs, self._lock, self._hanging)
        future = self._worker.submit(batch.run)
        if not _done_within(future, self._call_limit_seconds) and batch.abandon():
            self.close()  # the thread is lost to the hanging call; the next question starts another
        return batch.answers


class _Batch:
    """Mounts that one thread asks in order. ``answers`` is complete when ``run`` or ``abandon`` has ended."""

    def __init__(self, paths: list[str], statvfs: StatVfs, lock: threading.Lock, hanging: set[str]) -> None:
        self.answers: dict[str, Space] = {}
        self._paths = paths
        self._statvfs = statvfs
        self._lock = lock
        self._hanging = hanging
        self._abandoned = False

    def run(self) -> None:
        for path in self._paths:
            answer = _asked(self._statvfs, path)
            with self._lock:
                if self._abandoned:
                    self._hanging.discard(path)
                    return
                self.answers[path] = answer

    def abandon(self) -> bool:
        """Let the thread go and mark the mount it is asking. False if it had just finished."""
        with self._lock:
            if len(self.answers) == len(self._paths):
                return False
            self._abandoned = True
            self._hanging.add(self._paths[len(self.answers)])
            return True


def _asked(statvfs: StatVfs, path: str) -> Space:
    try:
        return statvfs(path)
    except OSError as error:
        return error


def _done_within(future: Future[None], seconds: float) -> bool:
    try:
        future.result(seconds)
    except TimeoutError:
        return False
    return True
