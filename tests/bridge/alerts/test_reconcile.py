"""Prometheus is asked now and then; its answers come from a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx2
import pytest

from pushgateway_bridge.alerts.firing import QUERY
from pushgateway_bridge.alerts.reconcile import Reconciler
from tests.bridge.alerts.told import LABELS, Kept, told

START_MS = 1_769_990_000_000
Answer = httpx2.Response | Exception


def vector(*series: dict[str, str]) -> httpx2.Response:
    result = [{"metric": labels, "value": [1770000000.5, "1769989000"]} for labels in series]
    return httpx2.Response(
        200, json={"status": "success", "data": {"resultType": "vector", "result": result}}
    )


NOTHING = vector()
FIRING = vector({"__name__": "ALERTS_FOR_STATE", **LABELS})


class Prometheus(httpx2.AsyncBaseTransport):
    """Gives its answers in their order, and notes what it is asked."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.url.path}?{request.url.params['query']}")
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with Kept(tmp_path) as kept:
        kept.tell(told(START_MS))
        yield kept


def compare_with(kept: Kept, *answers: Answer) -> Prometheus:
    """Compare once for each of *answers*."""
    prometheus = Prometheus(answers)

    async def all_of_them() -> None:
        async with httpx2.AsyncClient(transport=prometheus, base_url="http://prometheus/path") as client:
            reconciler = Reconciler(kept.history, client, 60.0, 300.0)
            for _ in answers:
                await reconciler.compare()

    kept.run(all_of_them())
    return prometheus


def test_what_fires_no_more_is_closed(kept: Kept) -> None:
    prometheus = compare_with(kept, FIRING, NOTHING, NOTHING)

    assert [entry.closed_by for entry in kept.entries()] == ["prometheus"]
    assert prometheus.asked == [f"/path/api/v1/query?{QUERY}"] * 3


@pytest.mark.parametrize(
    "bad",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        httpx2.Response(503, text="Service Unavailable"),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(200, json={"status": "error", "errorType": "timeout", "error": "x"}),
    ],
    ids=["unreachable", "slow", "starting", "a page", "an error"],
)
def test_no_answer_changes_nothing_and_is_told_once(
    bad: Answer, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    compare_with(kept, NOTHING, bad, bad, bad)
    assert [entry.status for entry in kept.entries()] == ["firing"]
    assert caplog.text.count("not compared with prometheus") == 1

    compare_with(kept, bad, NOTHING)
    assert [entry.closed_by for entry in kept.entries()] == ["prometheus"]


def test_a_file_that_cannot_be_written_is_tried_again(kept: Kept) -> None:
    kept.history.close()  # as a bridge that stops
    compare_with(kept, NOTHING)

    kept.run(kept.history.start())
    compare_with(kept, NOTHING, NOTHING)
    assert [entry.closed_by for entry in kept.entries()] == ["prometheus"]


def test_an_empty_history_asks_nobody(tmp_path: Path) -> None:
    with Kept(tmp_path) as kept:
        assert compare_with(kept, NOTHING).asked == []
