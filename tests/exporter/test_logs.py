from __future__ import annotations

import json
import logging

from host_exporter.logs import EventFormatter


def record(**extra: object) -> logging.LogRecord:
    fields = {
        "name": "x",
        "levelname": "WARNING",
        "msg": "collector failed",
        "created": 1795303521.25,
        **extra,
    }
    return logging.makeLogRecord(fields)


def test_logfmt_quotes_what_would_break_the_line() -> None:
    line = EventFormatter("logfmt").format(record(collector="cpu", error='a="b"\nc'))

    assert line == (
        'time=2026-11-21T23:25:21.250+00:00 level=warning msg="collector failed" collector=cpu'
        ' error="a=\\"b\\"\\nc"'
    )


def test_json_is_one_object_per_line() -> None:
    line = EventFormatter("json").format(record(collector="cpu"))

    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-11-21T23:25:21.250+00:00",
        "level": "warning",
        "msg": "collector failed",
        "collector": "cpu",
    }


def test_a_traceback_stays_within_its_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        with_traceback = record(exc_info=(ValueError, error, error.__traceback__))

    line = EventFormatter("logfmt").format(with_traceback)

    assert "\n" not in line
    assert "ValueError: broken" in line
