"""A daemon thread for calls that may take long or hang: it never keeps the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class Worker:
    """Runs what is submitted, one call after the other, in the order it was submitted.

    Not an executor of the standard library: those wait at exit for their threads, and a thread
    in ``statvfs`` on a dead network mount never comes back.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def post(self, call: Callable[[], object]) -> None:
        """Have *call* called, which must not raise. Costs half of what ``submit`` does."""
        self._jobs.put(call)

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        """What *call* returns or raises, once it was its turn. Cancelled before that, it is not called."""
        future: Future[Result] = Future()
        self._jobs.put(partial(_fulfil, future, call))
        return future

    def stop(self) -> None:
        """End the thread after what was submitted so far; does not wait for it."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # the last result would otherwise stay in memory until the next call


def _fulfil(future: Future[Any], call: Callable[[], Any]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            future.set_exception(error)
