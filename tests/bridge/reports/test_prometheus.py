"""What is made of Prometheus' answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx2
import pytest

from pushgateway_bridge.reports.figures import Value
from pushgateway_bridge.reports.prometheus import NoAnswer, asking

AT = datetime(2026, 11, 23, tzinfo=UTC)
HEAD = '{"status":"success","data":{"resultType":"vector","result":['


def ask(status: int, body: str) -> Sequence[Value]:
    """What a Prometheus that answers with *body* is said to have."""
    asked: list[bytes] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.content)
        return httpx2.Response(status, text=body)

    async def run() -> Sequence[Value]:
        transport = httpx2.MockTransport(answer)
        async with httpx2.AsyncClient(base_url="http://prometheus:9090", transport=transport) as client:
            return await asking(client)("sum(up)", AT)

    values = asyncio.run(run())
    assert asked == [b"query=sum%28up%29&time=1795392000.0"]
    return values


def test_a_vector_is_labels_and_numbers() -> None:
    body = HEAD + '{"metric":{"app":"é"},"value":[1795392000,"5"]}],"more":1},"warnings":[]}'

    assert ask(200, body) == [Value({"app": "é"}, 5.0)]


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (422, '{"status":"error","error":"too many\\nsamples"}', "Prometheus answers 422: too many samples"),
        (503, "<html>\n no", "Prometheus answers 503: <html> no"),
        (502, "", "Prometheus answers 502: "),
        (200, "<html>", "does not answer as Prometheus does"),
        (200, '{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}', "does not answer as"),
        (200, HEAD + '{"metric":{},"value":[1,"many"]}]}}', "does not answer as"),
        (200, HEAD + '{"metric":{},"value":[1,"NaN"]}]}}', "Prometheus has a counter that is no number"),
        (200, HEAD + '{"metric":{},"value":[1,"+Inf"]}]}}', "Prometheus has a counter that is no number"),
    ],
)
def test_what_is_no_answer_is_said_in_one_line(status: int, body: str, complaint: str) -> None:
    with pytest.raises(NoAnswer) as caught:
        ask(status, body)

    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
