"""What is shown of a statix host's pushes that are like its last ones: the body as it is sent, without addresses."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushgateway_bridge.dialects import statix, statix_known
from pushgateway_bridge.dialects.masking import MASK, mask_text
from pushgateway_bridge.model.report import Report
from tests.bridge.dialects.host_bodies import forget_statix
from tests.bridge.dialects.test_pixeltracker import RECEIVED_MS
from tests.bridge.dialects.test_psutil_known import CASES, CONTEXT, changed

DOCUMENT: Final[dict[str, Any]] = json.loads((CASES / "statix" / "agent_linux.json").read_bytes())
FULL: Final[dict[str, Any]] = json.loads((CASES / "statix" / "agent_full.json").read_bytes())


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    forget_statix()


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def decoded(body: bytes) -> Report:
    return statix.decode(body, CONTEXT)


def report_of(body: bytes) -> Report | None:
    """What is made of *body* without the long way."""
    known = statix._known.find(body)
    assert known is not None
    return known.report_of(body, RECEIVED_MS)


def known_after(document: object) -> None:
    """Have a host known that sent *document*."""
    for _ in range(2):
        decoded(compact(document))


def test_a_push_without_addresses_is_shown_as_it_is_sent() -> None:
    known_after(FULL)
    body = compact({**FULL, "cpu": 99})
    report = report_of(body)

    assert report is not None
    assert report.entry is body


def test_addresses_are_not_shown() -> None:
    document = copy.deepcopy(FULL)
    document["details"]["network"]["primary_interface"] = {
        "name": "eth0",
        "ipv4": "192.168.7.9",
        "netmask": "255.255.255.0",
        "broadcast": "192.168.7.255",
        "speed_mbps": 1000,
        "mtu": 1500,
        "duplex": "full",
    }
    document["details"]["system"]["os_version"] = "built on 10.9.8.7"
    known_after(document)
    report = report_of(compact({**document, "cpu": 99}))

    assert report is not None
    assert report.entry is not None
    assert b"192.168" not in report.entry
    assert b"10.9.8.7" not in report.entry
    shown = json.loads(report.entry)
    assert shown["cpu"] == 99
    assert shown["details"]["network"]["primary_interface"]["ipv4"] == MASK
    assert shown["details"]["network"]["primary_interface"]["mtu"] == 1500
    assert shown["details"]["system"]["os_version"] == f"built on {MASK}"


def test_rates_that_are_not_sent_are_shown_as_zero() -> None:
    document = {name: value for name, value in FULL.items() if name != "disk_write"}
    known_after(document)
    report = report_of(compact(document))

    assert report is not None
    assert report.entry is not None
    assert json.loads(report.entry) == {**document, "disk_write": 0.0}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("details", "collected_at"), "from 10.9.8.7"),
        (("details", "uptime", "human"), "a day, says 10.9.8.7"),
        (("details", "uptime", "boot_time"), "10.9.8.7"),
        (("details", "cpu", "processor"), "10.9.8.7"),
        (("details", "disk", "mount"), "/10.9.8.7"),
        (("details", "network", "primary_interface"), {"ipv4": "10.9.8.7"}),
        (("details", "network", "primary_interface"), {"name": "10.9.8.7"}),
        (("details", "system", "model"), "10.9.8.7"),
        (("details", "memory", "percent"), "10.9.8.7"),
        (("details", "more"), "10.9.8.7"),
        (("more",), "10.9.8.7"),
    ],
)
@pytest.mark.parametrize("times", [1, 3])
def test_no_address_is_shown_that_comes_later(path: tuple[str, ...], value: object, times: int) -> None:
    known_after(FULL)
    document = copy.deepcopy(FULL)
    changed(document, path, value)
    for _ in range(times):
        report = decoded(compact(document))

        assert b"10.9.8.7" not in (report.entry or b"")


@pytest.mark.parametrize(
    ("sent", "instead"),
    [
        (b'"model":null', b'"model":"10.9.8.7","model":null'),
        (b'"processor":""', b'"processor":"10.9.8.7","processor":""'),
        (b'"human":', b'"human":"10.9.8.7","human":'),
        (b'"percent":12.4', b'"percent":"10.9.8.7","percent":12.4'),
        (b'"details":', b'"details":{"more":"10.9.8.7"},"details":'),
        (b'"cpu":12.4', b'"cpu":"10.9.8.7","cpu":12.4'),
    ],
)
def test_no_address_is_shown_that_stands_in_a_repeated_field(sent: bytes, instead: bytes) -> None:
    body = compact(FULL)
    repeated = body.replace(sent, instead, 1)
    known_after(FULL)

    assert repeated != body
    assert report_of(repeated) is None
    assert b"10.9.8.7" not in (decoded(repeated).entry or b"")
    for _ in range(3):
        assert b"10.9.8.7" not in (decoded(repeated).entry or b"")


def test_a_push_that_is_not_written_on_one_line_is_shown_on_one() -> None:
    known_after(FULL)
    pretty = json.dumps(FULL, indent=1).encode()
    for _ in range(3):
        entry = decoded(pretty).entry

        assert entry is not None
        assert b"\n" not in entry
        assert json.loads(entry) == FULL


@pytest.mark.parametrize("around", [b" %b", b"%b ", b"\t%b\r", b"%b\n"])
def test_an_entry_begins_and_ends_with_a_brace(around: bytes) -> None:
    known_after(FULL)
    for _ in range(3):
        entry = decoded(around % compact(FULL)).entry

        assert entry is not None
        assert entry[:1] + entry[-1:] == b"{}"


def test_the_time_shown_is_the_one_it_is_stored_with() -> None:
    known_after(FULL)
    late = {**FULL, "timestamp": RECEIVED_MS // 1000 - 10 * 86_400}
    report = decoded(compact(late))

    assert report.entry is not None
    assert json.loads(report.entry)["timestamp"] == RECEIVED_MS // 1000
    assert report.groups[0].timestamp_ms == late["timestamp"] * 1000


def test_hosts_that_are_called_alike_are_told_apart() -> None:
    known_after(FULL)
    inner = copy.deepcopy(FULL)
    inner["hostname"] = "another"
    moved = {name: value for name, value in inner.items() if name != "hostname"} | {"hostname": "another"}
    report = decoded(compact(moved))

    assert statix._known.find(compact(moved)) is statix._known.find(compact(FULL))
    assert dict(report.groups[0].group)["instance"] == "another"


@pytest.mark.parametrize("path", [("details", "network", "primary_interface"), ("details", "system")])
@pytest.mark.parametrize("value", [5, [], {}, True, "10.9.8.7"])
def test_what_was_null_is_not_taken_for_what_another_host_sends_there(
    path: tuple[str, ...], value: object
) -> None:
    """One decoder may serve both."""
    with_object, with_null = (copy.deepcopy({**FULL, "hostname": name}) for name in ("one", "other"))
    changed(with_object, path, {"name": "eth0"} if path[-1] == "primary_interface" else {"os": "Linux"})
    changed(with_null, path, None)
    known_after(with_object)
    known_after(with_null)
    later = copy.deepcopy(with_null)
    changed(later, path, value)
    known = statix._known.find(compact(later))

    assert known is not None
    assert known.report_of(compact(with_null), RECEIVED_MS) is not None
    assert known.report_of(compact(later), RECEIVED_MS) is None


def test_the_host_heard_of_first_is_forgotten_if_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statix_known, "MAX_KNOWN", 2)
    bodies = [compact({**FULL, "hostname": name}) for name in "abc"]
    for body in bodies:
        decoded(body)
        decoded(body)

    assert [statix._known.find(body) is not None for body in bodies] == [False, True, True]


ZONES: Final = st.timezones() | st.none()


@given(
    st.datetimes(timezones=ZONES),
    st.sampled_from("T t"),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_what_is_read_as_a_time_has_no_address_in_it(
    moment: dt.datetime, between: str, precision: str
) -> None:
    for text in (
        moment.isoformat(between, precision),
        moment.isoformat(between, precision).replace("+00:00", "Z"),
    ):
        try:
            msgspec.convert(text, dt.datetime)
        except msgspec.ValidationError:
            continue

        assert mask_text(text) == text
