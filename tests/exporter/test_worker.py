from __future__ import annotations

import threading

import pytest

from host_exporter.worker import Worker


def test_calls_run_in_order_in_a_thread_that_does_not_keep_the_process() -> None:
    worker = Worker("test")
    order: list[int] = []

    futures = [worker.submit(lambda number=number: order.append(number)) for number in range(5)]  # type: ignore[misc]
    daemon = worker.submit(lambda: threading.current_thread().daemon)
    for future in futures:
        future.result(5)

    assert order == [0, 1, 2, 3, 4]
    assert daemon.result(5)
    worker.stop()


def test_an_error_is_raised_where_the_result_is_awaited_and_the_next_call_runs() -> None:
    worker = Worker("test")

    failing, next_one = worker.submit(lambda: 1 // 0), worker.submit(lambda: "ran")

    with pytest.raises(ZeroDivisionError):
        failing.result(5)
    assert next_one.result(5) == "ran"
    worker.stop()


def test_a_call_cancelled_in_time_is_not_made() -> None:
    worker = Worker("test")
    gate = threading.Event()
    made: list[str] = []
    worker.submit(gate.wait)

    waiting = worker.submit(lambda: made.append("made"))
    assert waiting.cancel()
    gate.set()

    worker.submit(lambda: None).result(5)
    assert made == []
    worker.stop()
