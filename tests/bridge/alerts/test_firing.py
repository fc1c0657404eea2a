"""Which alerts of the history are among those that fire in Prometheus."""

from __future__ import annotations

import msgspec
import pytest

from pushgateway_bridge.alerts.firing import FiringAlert, FiringAlerts, NoAnswer, decode

LAB_7 = {"alertname": "HostDown", "instance": "lab-7"}


@pytest.mark.parametrize(
    ("labels", "fires"),
    [
        (LAB_7, True),
        (LAB_7 | {"replica": "a"}, True),  # an external label, added on the way
        ({"alertname": "HostDown"}, True),  # a label dropped on the way
        (LAB_7 | {"instance": "lab-8"}, False),
        (LAB_7 | {"alertname": "HostUp"}, False),
        ({"alertname": "HostDown", "job": "node"}, False),
        ({}, False),
    ],
)
def test_an_alert_fires_if_one_set_of_labels_is_part_of_the_other(
    labels: dict[str, str], fires: bool
) -> None:
    found = FiringAlerts([FiringAlert(LAB_7, 5000)])

    assert found.active_ms(labels) == (5000 if fires else None)


def test_of_several_that_fit_the_one_counts_that_is_active_for_longest() -> None:
    found = FiringAlerts(
        [FiringAlert(LAB_7 | {"disk": disk}, ms) for disk, ms in (("a", 9), ("b", 5), ("c", 7))]
    )

    assert found.active_ms(LAB_7) == 5
    assert found.active_ms(LAB_7 | {"disk": "c", "replica": "a"}) == 7
    assert found.oldest_ms == {"HostDown": 5}


def test_an_answer_of_prometheus_is_its_alerts() -> None:
    answer = {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"__name__": "ALERTS_FOR_STATE", **LAB_7}, "value": [1.5, "1769932800"]},
            ],
        },
        "infos": [],
    }

    assert decode(msgspec.json.encode(answer)) == [FiringAlert(LAB_7, 1_769_932_800_000)]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b'{"status":"error","errorType":"timeout","error":"x"}',
        b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"+Inf"]}]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_does_not_count_as_one(answer: bytes) -> None:
    with pytest.raises(NoAnswer):
        decode(answer)
