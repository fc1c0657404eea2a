"""Sources over HTTP: the list of who reports, and a deletion that leaves nothing of them, also after a crash."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.datastructures import QueryParams

from pushgateway_bridge.access.token import Right
from pushgateway_bridge.errors import JournalFailed
from pushgateway_bridge.model.timestamps import format_iso8601_ms
from pushgateway_bridge.pipeline import GROUPS_AT_ONCE
from pushgateway_bridge.web.openapi import EXAMPLES
from pushgateway_bridge.web.source_query import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    WrongParameter,
    deletion,
    list_query,
)
from pushgateway_bridge.web.sources import SOURCES
from tests.bridge.harness import PIXELTRACKER, FakeClock, Harness
from tests.bridge.process import BridgeProcess
from tests.bridge.remote import FakeRemote, wait_until
from tests.bridge.web.harness import Web
from tests.bridge.web.running import owner_of

COUNTED = {"minigem": "/t", "proxmoxve": "/telemetry"}
"""Dialects whose statistics remember more than their series say → where events are pushed."""

HOSTS = {
    "pixeltracker": "/api/telemetry",
    "statusmonitor": "/sm/ingest",
    "statix": "/sx/metrics",
    "samples": "/api/v1/samples",
    "pushgateway": "/metrics/job/nightly",
}
"""Dialects of hosts and jobs → where they report."""


class Sources:
    """A bridge in this process, who may delete, and who reports to it."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.secret = self.token(Right.DELETE)

    def token(self, *rights: Right, job: str = "", instance: str = "") -> str:
        return self.web.bridge.tokens.create("test", rights, job=job, instance=instance)[1]

    def push(self, *items: tuple[str, str, str], **more: object) -> None:
        """Push a sample of each name, job and instance."""
        body = [
            {"name": name, "value": 1, "labels": {"job": job, "instance": instance}, **more}
            for name, job, instance in items
        ]
        answer = self.web.push(json.dumps(body).encode(), "/api/v1/samples")
        assert (answer.status_code, answer.json()["rejected"]) == (200, [])

    def push_group(self, path: str, text: bytes = b"a_held 1\n") -> None:
        assert self.web.request("PUT", f"/metrics/job/{path}", content=text).status_code in (200, 202)

    def push_event(self, dialect: str) -> None:
        media_type, text = EXAMPLES[dialect]
        assert self.web.push(text.encode(), COUNTED[dialect], content_type=media_type).status_code // 100 == 2

    def page(self, query: str = "") -> dict[str, Any]:
        answer = self.web.get(f"{SOURCES}{query}")
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def names(self, query: str = "") -> list[tuple[str, str]]:
        """Job and instance of what is listed; there is no other page."""
        page = self.page(query)
        assert page["next_cursor"] is None
        return [(one["job"], one["instance"]) for one in page["sources"]]

    def delete(self, query: str, secret: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.secret if secret is None else secret}"}
        return self.web.request("DELETE", f"{SOURCES}{query}", headers=headers)

    def shown(self) -> list[str]:
        """The lines of /metrics that are about sources."""
        return [line for line in self.web.get("/metrics").text.splitlines() if 'job="' in line]


@pytest.fixture
def sources(clocked_web: Web) -> Sources:
    return Sources(clocked_web)


# The list


def test_a_source_is_shown_with_what_is_known_of_it(sources: Sources, clock: FakeClock) -> None:
    body = b'{"hostname":"lab","cpu":1,"ram":2,"disk":3,"timestamp":1770000000}'
    for _ in range(3):
        clock.pass_seconds(20)
        assert sources.web.push(body, "/sx/metrics").status_code == 200
    received = format_iso8601_ms(clock.unix_ms)
    lines = [line for line in sources.shown() if not line.startswith("telemetry_")]

    assert sources.page() == {
        "sources": [
            {
                "job": "statix",
                "instance": "lab",
                "dialects": ["statix"],
                "series": len(lines),
                "reports": 3,
                "last_report": received,
                "report_interval_seconds": 20.0,
            }
        ],
        "next_cursor": None,
    }


def test_all_push_groups_of_a_source_are_one_source(sources: Sources) -> None:
    sources.push(("a", "house", "north"), ("b", "house", "north"))
    sources.push_group("house/instance/north/room/attic")

    [shown] = sources.page()["sources"]

    assert shown["dialects"] == ["pushgateway", "samples"]
    assert shown["reports"] == 2
    groups = sources.web.bridge.ingest.state.groups()
    assert shown["series"] == sum(len(group.by_id) for group in groups) > 2


def test_what_reports_events_has_no_interval(sources: Sources) -> None:
    sources.push_event("minigem")

    [shown] = sources.page()["sources"]

    assert (shown["job"], shown["instance"], shown["reports"]) == ("minigem", "", 1)
    assert shown["report_interval_seconds"] is None


def test_a_source_that_only_time_has_changed_never_reported(sources: Sources, clock: FakeClock) -> None:
    sources.push_event("proxmoxve")
    state = sources.web.bridge.ingest.state
    [group] = state.groups()
    group.source.reports = 0  # its first report was of time alone

    [shown] = sources.page()["sources"]

    assert (shown["reports"], shown["last_report"]) == (0, None)


def test_sources_are_sorted_by_job_and_instance_and_selected_by_them(sources: Sources) -> None:
    there = [("b", "2"), ("a", "2"), ("b", "10"), ("a", "1"), ("c", "")]
    sources.push(*(("x", job, instance) for job, instance in there))

    assert sources.names() == sorted(there)
    assert sources.names("?job=b") == [("b", "10"), ("b", "2")]
    assert sources.names("?instance=2") == [("a", "2"), ("b", "2")]
    assert sources.names("?job=a&instance=2&instance=1&instance=7") == [("a", "1"), ("a", "2")]
    assert sources.names("?instance=") == [("c", "")]
    assert sources.names("?job=d") == []


def test_pages_have_every_source_once(sources: Sources) -> None:
    names = ["", "a", "ä", "a b", 'quote"', "\\", "z"]
    sources.push(*(("x", "job", name) for name in names))

    for limit in (1, 2, 3, 7, 8):
        found, query = [], f"?limit={limit}"
        while query:
            page = sources.page(query)
            assert 0 < len(page["sources"]) <= limit
            found += [one["instance"] for one in page["sources"]]
            following = page["next_cursor"]
            query = f"?limit={limit}&cursor={following}" if following is not None else ""

        assert found == sorted(names), limit


def test_a_page_goes_on_where_the_one_before_ended_though_that_source_is_gone(sources: Sources) -> None:
    sources.push(("x", "job", "a"), ("x", "job", "b"), ("x", "job", "c"))
    following = sources.page("?limit=2")["next_cursor"]
    assert sources.delete("?job=job&instance=b").status_code == 200

    assert sources.names(f"?cursor={following}") == [("job", "c")]


def test_a_page_has_a_hundred_sources_unless_another_number_is_asked_for(sources: Sources) -> None:
    sources.push(*(("x", "job", f"{number:03}") for number in range(DEFAULT_LIMIT + 1)))

    assert len(sources.page()["sources"]) == DEFAULT_LIMIT
    assert len(sources.names(f"?limit={MAX_LIMIT}")) == DEFAULT_LIMIT + 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?limit=0", "limit: expected a number from 1 to 1000, got '0'"),
        ("?limit=1001", "limit: expected a number from 1 to 1000"),
        ("?limit=many", "limit: expected a number from 1 to 1000"),
        ("?limit=1&limit=2", "limit: it was given more than once"),
        ("?job=a&job=b", "job: it was given more than once"),
        ("?job=", "job: it is empty"),
        ("?cursor=x", "cursor: expected the next_cursor of an earlier answer"),
        ("?cursor=%C3%A4", "cursor: expected the next_cursor of an earlier answer"),
        ("?cursor=WzFd", "cursor: expected the next_cursor of an earlier answer"),
        ("?all=true", "unknown parameter 'all': known are job, instance, limit, cursor"),
        ("?sort=job", "unknown parameter 'sort'"),
    ],
)
def test_a_wrong_parameter_of_the_list_is_named(query: str, said: str) -> None:
    with pytest.raises(WrongParameter) as told:
        list_query(QueryParams(query.removeprefix("?")).multi_items())

    assert str(told.value).startswith(said)


# Deleting


def test_nothing_of_a_deleted_source_is_left_and_everything_of_others(sources: Sources) -> None:
    sources.push(("a", "house", "south"), ("a", "hous", "north"))
    sources.push_group("house/instance/south/room/attic")
    sources.push_group("north/instance/house")
    others = sources.shown()
    sources.push(("a", "house", "north"), ("b", "house", "north"))
    sources.push(("c", "house", "north"), time_to_live_seconds="keep")
    sources.push_group("house/instance/north/room/attic")
    assert sources.web.value("telemetry_last_report_timestamp_seconds", job="house", instance="north")
    held = next(one["series"] for one in sources.page("?job=house&instance=north")["sources"])

    answer = sources.delete("?job=house&instance=north")

    assert (answer.status_code, answer.json()) == (200, {"sources": 1, "series": held, "missing": []})
    assert held > 3
    assert sources.shown() == others
    assert sources.names("?instance=north") == [("hous", "north")]


def test_a_host_of_each_dialect_is_deleted_and_may_report_anew(sources: Sources) -> None:
    secret = sources.token(Right.PUSH, job="statusmonitor", instance="lab-7")
    for dialect, path in HOSTS.items():
        media_type, text = EXAMPLES[dialect]

        def report(body: bytes = text.encode(), path: str = path, kind: str = media_type) -> dict[str, Any]:
            answer = sources.web.push(body, path, content_type=kind, x_agent_token=secret)
            assert answer.status_code in (200, 202)
            [shown] = sources.page()["sources"]
            return dict(shown)

        before = report()
        assert report()["reports"] == 2, dialect

        answer = sources.web.request(
            "DELETE",
            SOURCES,
            params={"job": before["job"], "instance": before["instance"]},
            headers={"authorization": f"Bearer {sources.secret}"},
        )

        assert answer.json() == {"sources": 1, "series": before["series"], "missing": []}
        assert sources.shown() == []
        assert report() == before
        assert sources.delete(f"?job={before['job']}&all=true").status_code == 200


def test_several_instances_go_at_once_and_those_that_are_not_there_are_told(sources: Sources) -> None:
    sources.push(*(("x", "job", name) for name in "abc"))

    answer = sources.delete("?job=job&instance=a&instance=z&instance=b&instance=a&instance=y")

    assert answer.json() == {"sources": 2, "series": 2, "missing": ["y", "z"]}
    assert sources.names() == [("job", "c")]


def test_an_empty_instance_is_that_of_a_source_without_one(sources: Sources) -> None:
    sources.push_group("job")
    sources.push(("x", "job", "a"))

    assert sources.delete("?job=job&instance=").json()["sources"] == 1
    assert sources.names() == [("job", "a")]


def test_a_whole_job_goes_where_that_is_said(sources: Sources) -> None:
    sources.push(*(("x", job, name) for job in ("job", "jobs") for name in ("", "a", "b")))

    answer = sources.delete("?job=job&all=true")

    assert answer.json() == {"sources": 3, "series": 3, "missing": []}
    assert sources.names() == [("jobs", ""), ("jobs", "a"), ("jobs", "b")]


def test_what_is_not_there_is_not_found(sources: Sources) -> None:
    sources.push(("x", "job", "a"))

    for query in ("?job=job&instance=b", "?job=other&all=true", "?job=job&instance="):
        answer = sources.delete(query)

        assert answer.status_code == 404, query
        assert answer.json()["detail"].startswith("no such source of job")
    assert sources.names() == [("job", "a")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "job: say of which job"),
        ("?instance=a", "job: say of which job"),
        ("?all=true", "job: say of which job"),
        ("?job=&all=true", "job: it is empty"),
        ("?job=job", "instance: say of which instance, or all=true"),
        ("?job=job&all=false", "all: expected true, got 'false'"),
        ("?job=job&all=", "all: expected true, got ''"),
        ("?job=job&all=true&all=true", "all: it was given more than once"),
        ("?job=job&job=job&instance=a", "job: it was given more than once"),
        ("?job=job&all=true&instance=a", "all: it means every instance"),
        ("?job=job&instance=a&limit=1", "unknown parameter 'limit': known are job, instance, all"),
        ("?job=job&instances=a", "unknown parameter 'instances'"),
    ],
)
def test_a_wrong_parameter_of_a_deletion_is_named(query: str, said: str) -> None:
    with pytest.raises(WrongParameter) as told:
        deletion(QueryParams(query.removeprefix("?")).multi_items())

    assert str(told.value).startswith(said)


def test_where_a_parameter_is_wrong_nothing_is_read_or_deleted(sources: Sources) -> None:
    sources.push(("x", "job", "a"))

    read, deleted = sources.web.get(f"{SOURCES}?limit=0"), sources.delete("?job=job")

    assert (read.status_code, deleted.status_code) == (400, 400)
    assert read.json()["detail"].startswith("limit: ")
    assert deleted.json()["detail"].startswith("instance: ")
    assert sources.names() == [("job", "a")]


@pytest.mark.parametrize("dialect", COUNTED)
def test_what_is_counted_beside_its_series_is_kept_whole(sources: Sources, dialect: str) -> None:
    """The statistics go on by what they remember: without the counters the two would contradict each other."""
    sources.push_event(dialect)
    sources.push_group(f"{dialect}/instance/x")
    before = sources.shown()

    for which in ("instance=", "instance=x&instance=", "all=true"):
        answer = sources.delete(f"?job={dialect}&{which}")

        assert answer.status_code == 409, which
        assert answer.json()["detail"].startswith(f"job {dialect!r} instance '' is counted by {dialect}, ")
        assert "nothing was deleted" in answer.json()["detail"]
        assert sources.shown() == before
    assert sources.delete(f"?job={dialect}&instance=x").status_code == 200, "that one is pushed, not counted"


def test_more_sources_than_one_record_deletes_are_all_deleted(sources: Sources) -> None:
    number = 2 * GROUPS_AT_ONCE + 50
    sources.push(*(("x", "many", str(instance)) for instance in range(number)))
    sources.push(("x", "one", "a"))

    assert sources.delete("?job=many&all=true").json() == {"sources": number, "series": number, "missing": []}
    assert sources.names() == [("one", "a")]


# Who may


def test_only_who_may_delete_deletes(sources: Sources) -> None:
    sources.push(("x", "job", "a"))

    assert sources.web.request("DELETE", f"{SOURCES}?job=job&instance=a").status_code == 401
    assert sources.delete("?job=job&instance=a", "wrong").status_code == 401
    assert sources.delete("?job=job&instance=a", sources.token(Right.READ, Right.PUSH)).status_code == 403
    assert sources.names() == [("job", "a")]
    assert sources.delete("?job=job&instance=a", sources.token(Right.ADMIN)).status_code == 200


BOUND = (
    ("job", "a", "?job=job&instance=a", 200),
    ("job", "a", "?job=job&instance=a&instance=b", 403),
    ("job", "a", "?job=job&instance=b", 403),
    ("job", "a", "?job=job&instance=unknown", 403),
    ("job", "a", "?job=job&all=true", 403),
    ("job", "a", "?job=other&instance=a", 403),
    ("job", "", "?job=job&instance=a&instance=b", 200),
    ("job", "", "?job=job&all=true", 200),
    ("job", "", "?job=other&instance=a", 403),
    ("", "a", "?job=other&instance=a", 200),
    ("", "a", "?job=other&instance=b", 403),
    ("", "a", "?job=other&all=true", 403),
    ("", "lone", "?job=lone&all=true", 403),
)
"""What a token is bound to, what it wants to delete, and what it is told."""


def test_a_bound_token_deletes_only_what_it_is_bound_to(sources: Sources) -> None:
    there = [("job", "a"), ("job", "b"), ("lone", "lone"), ("other", "a"), ("other", "b")]
    for job, instance, query, status in BOUND:
        sources.push(*(("x", *one) for one in there))

        answer = sources.delete(query, sources.token(Right.DELETE, job=job, instance=instance))

        assert answer.status_code == status, (job, instance, query)
        if status == 403:
            assert answer.json()["detail"].endswith("may delete nothing else")
            assert sources.names() == there
        else:
            assert len(sources.names()) == len(there) - answer.json()["sources"] < len(there)


def test_before_the_replay_nothing_is_listed_or_deleted(starting_web: Web) -> None:
    starting_web.bridge.tokens.directory.mkdir(parents=True)
    secret = starting_web.bridge.tokens.create("test", [Right.DELETE])[1]
    asked = {
        "GET": {},
        "DELETE": {"authorization": f"Bearer {secret}"},
    }

    for method, headers in asked.items():
        answer = starting_web.request(method, f"{SOURCES}?job=a&instance=b", headers=headers)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


# The journal


def delete(bridge: Harness, *instances: str) -> int:
    return len(bridge.run(bridge.ingest.delete_sources(lambda source: source[1] in instances)).keys)


@pytest.mark.parametrize("first", [True, False], ids=["checkpointed before", "only in records"])
@pytest.mark.parametrize("then", [True, False], ids=["checkpointed after", "crashed at once"])
def test_a_deletion_outlives_a_crash(bridge: Harness, first: bool, then: bool) -> None:
    for name in ("kept", "gone", "gone too"):
        bridge.push({"name": name, "cpuC": 4})
    if first:
        bridge.checkpoint()
    kept = {name: value for name, value in bridge.series().items() if 'instance="kept"' in name}

    assert delete(bridge, "gone", "gone too", "never there") == 2
    if then:
        bridge.checkpoint()
    bridge.crash()

    assert bridge.series() == kept
    bridge.push({"name": "gone", "cpuC": 4})
    assert bridge.series()['telemetry_reports_total{job="pixeltracker",instance="gone"}'] == 1
    bridge.crash()
    assert bridge.series()['telemetry_reports_total{job="pixeltracker",instance="gone"}'] == 1


def test_a_deletion_that_is_not_on_disk_leaves_everything(bridge: Harness) -> None:
    bridge.push({"name": "a", "cpuC": 4})
    before = bridge.series()
    fail = "CREATE TEMP TRIGGER fail BEFORE INSERT ON frame BEGIN SELECT raise(ABORT, 'no'); END"
    bridge.journal._connection.execute(fail)

    with pytest.raises(JournalFailed):
        delete(bridge, "a")

    assert bridge.series() == before
    bridge.crash()
    assert bridge.series() == before
    assert delete(bridge, "a") == 1


def test_a_push_that_was_answered_before_goes_and_one_that_comes_after_stays(bridge: Harness) -> None:
    async def push_delete_and_push() -> None:
        queued = [
            asyncio.create_task(bridge._push({"name": "a", "cpuC": one}, PIXELTRACKER)) for one in (1, 2)
        ]
        await asyncio.sleep(0)
        await bridge.ingest.delete_sources(lambda source: source[1] == "a")
        await asyncio.gather(*queued)
        assert bridge.store.groups() == []
        await bridge._push({"name": "a", "cpuC": 3}, PIXELTRACKER)

    bridge.run(push_delete_and_push())

    assert bridge.series()['host_cpu_cores{job="pixeltracker",instance="a",kind="logical"}'] == 3
    assert bridge.series()['telemetry_reports_total{job="pixeltracker",instance="a"}'] == 1


# A bridge as a program of its own

ROOMS = """
identity: {job: house, instance: $.device}
labels: {room: {path: $.room, cap: 1}}
metrics:
  - {name: room_celsius, path: $.temp}
  - {name: room_visits_total, path: $.visits, operation: add}
"""


def visit(bridge: BridgeProcess, device: str, room: str) -> None:
    document = {"device": device, "room": room, "temp": 20, "visits": 1}
    url = f"http://127.0.0.1:{bridge.port}/api/v1/push/rooms"
    assert httpx2.post(url, json=document, timeout=30).status_code == 200


@pytest.mark.stack
def test_a_deletion_that_was_answered_outlives_a_kill_and_remotes_are_told_that_its_series_end(
    tmp_path: Path,
) -> None:
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    (mappings / "rooms.yml").write_text(ROOMS)
    with FakeRemote() as remote:
        flags = (
            f"--mappings.directory={mappings}",
            "--delivery=remote_write",
            f"--remote-write.remotes=[{{name: one, url: '{remote.url()}'}}]",
        )
        with BridgeProcess(tmp_path / "journal", *flags, log=tmp_path / "log") as bridge:
            url = f"http://127.0.0.1:{bridge.port}"
            for name in ("kept", "gone"):
                body = {"name": name, "cpuC": 4}
                assert httpx2.post(f"{url}/api/telemetry", json=body, timeout=30).status_code == 200
            visit(bridge, "old", "attic")
            visit(bridge, "new", "cellar")
            with owner_of(bridge) as owner:
                gone = owner.delete(SOURCES, params={"job": "pixeltracker", "instance": "gone"})
                rooms = owner.delete(SOURCES, params={"job": "house", "all": "true"})
            visit(bridge, "new", "cellar")
            before = {name: value for name, value in bridge.series().items() if 'job="' in name}
            bridge.kill()
            bridge.start()
            after = {name: value for name, value in bridge.series().items() if 'job="' in name}
            cores = 'host_cpu_cores{instance="gone",job="pixeltracker",kind="logical"}'
            wait_until(
                lambda: (cores, "stale") in [(name, value) for name, _, value in remote.samples()],
                "the end of a deleted series",
            )
            again = httpx2.get(f"{url}{SOURCES}", timeout=30).json()["sources"]

    assert (gone.status_code, gone.json()["sources"], rooms.json()["sources"]) == (200, 1, 2)
    assert after == before
    assert 'room_visits_total{job="house",instance="new",room="cellar"}' in before, "its name has room again"
    assert not any('instance="gone"' in name or 'instance="old"' in name for name in after)
    assert [(one["job"], one["instance"]) for one in again] == [("house", "new"), ("pixeltracker", "kept")]
    assert not remote.faults
