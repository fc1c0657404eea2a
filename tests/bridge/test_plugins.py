"""Dialects that come as plugins: found, refused with a reason, kept from harming the rest.

The plugins here are distributions in a folder on sys.path, as pip leaves them.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pushgateway_bridge import plugin_api
from pushgateway_bridge.app import Bridge
from pushgateway_bridge.cli import main
from pushgateway_bridge.config import Config, DialectsConfig, JournalConfig, LimitsConfig, ViewerConfig
from pushgateway_bridge.config_rules import check_access
from pushgateway_bridge.dialects import DIALECTS
from pushgateway_bridge.errors import StartFailed
from pushgateway_bridge.plugin_api import API_VERSION, TAKEN_VERSIONS
from pushgateway_bridge.plugin_checks import NotADialect, check_dialect
from pushgateway_bridge.plugins import plugins_of, with_plugins
from tests.bridge.web.harness import Web
from tests.bridge.web.test_guard import routes_of

HEAD = """\
from pushgateway_bridge.plugin_api import *
import math

PLUGIN_API_VERSION = 1
ROOM = Family("acme_room", "gauge", "Room.")
CALLS = Family("acme_calls_total", "counter", "Calls.")
SECONDS = Family("acme_seconds", "histogram", "Seconds.", "seconds", (0.5, 1.0))
PEOPLE = Family("acme_people", "gauge", "People.")
GROUP = make_push_group("acme", "a")
A = (("a", "b"),)


def told(error):
    return Reply(error.status, str(error).encode(), "text/plain")


def group(**fields):
    return Report((GroupReport(**{"group": GROUP, **fields}),), accepted=1)


def value(family, labels=(), number=1.0, **fields):
    return group(shape=((family, labels),), values=[number], **fields)


def good():
    return group(
        shape=((ROOM, A), (ROOM, ())),
        values=[21.5, 3],
        increments=[Increment(CALLS, A, 2.0)],
        observations=[Observation(SECONDS, (), 0.7)],
        distinct=[Distinct(PEOPLE, (), 7)],
    )


def decode(body, context):
    if not body.startswith(b"!"):
        raise MalformedBody("expected !")
    return eval(body[1:])


def dialect(**changes):
    fields = dict(
        name="acme",
        paths=("/acme/in",),
        max_body_bytes=10_000,
        series_class=SeriesClass.HELD,
        default_interval_seconds=None,
        decode=decode,
        accepted=Reply(200, b"ok", "text/plain"),
        refuse=told,
    )
    return Dialect(**{**fields, **changes})


"""
GOOD = "DIALECT = dialect()"

numbers = itertools.count()


class Site:
    """A folder on sys.path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self, code: str, *, name: str = "acme", distribution: str = "acme-dialect", attribute: str = "DIALECT"
    ) -> str:
        """A plugin of one module; its entry point, ``name = module:attribute``."""
        module = f"plugin_of_a_test_{next(numbers)}"
        (self.folder / f"{module}.py").write_text(HEAD + code)
        metadata = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        entry = f"{name} = {module}:{attribute}"
        (metadata / "entry_points.txt").write_text(f"[pushgateway_bridge.dialects]\n{entry}\n")
        importlib.invalidate_caches()
        return entry


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Site(folder)
    for name in [name for name in sys.modules if name.startswith("plugin_of_a_test_")]:
        del sys.modules[name]


# Which plugins are taken


def test_a_plugin_is_added_behind_the_bridges_own_dialects(site: Site) -> None:
    entry = site.install(GOOD)

    known = with_plugins(DIALECTS, ())

    assert list(known) == [*DIALECTS, "acme"]
    assert all(known[name] is dialect for name, dialect in DIALECTS.items())
    assert [plugin.origin for plugin in plugins_of(known)] == [f"acme-dialect 1.0: entry point {entry}"]


def test_an_entry_point_may_be_a_callable(site: Site) -> None:
    site.install("def make():\n    return dialect()\n", attribute="make")

    assert with_plugins(DIALECTS, ())["acme"].paths == ("/acme/in",)


def test_without_plugins_there_are_the_bridges_own() -> None:
    assert with_plugins(DIALECTS, ()) == DIALECTS


NOT_JSON = "'application/json', '{'"
REFUSED = {
    "no import": ("import not_there", "cannot be imported: ModuleNotFoundError: No module named 'not_there'"),
    "syntax": ("DIALECT = (", "cannot be imported: SyntaxError: '(' was never closed"),
    "ends": ("import sys; sys.exit(7)", "cannot be imported: SystemExit: 7"),
    "two lines": ("raise ValueError('a\\nb')", "cannot be imported: ValueError: a b"),
    "no attribute": ("OTHER = dialect()", "cannot be imported: AttributeError: module"),
    "no dialect": ("DIALECT = 7", "gives no Dialect but int"),
    "the class": (
        "DIALECT = Dialect",
        "cannot make its dialect: TypeError: Missing required argument 'name'",
    ),
    "fails": ("def DIALECT():\n    1 / 0", "cannot make its dialect: ZeroDivisionError: division by zero"),
    "gives nothing": ("def DIALECT():\n    pass", "gives no Dialect but NoneType"),
    "next version": (
        f"PLUGIN_API_VERSION = {max(TAKEN_VERSIONS) + 1}\n{GOOD}",
        f"is made for version {max(TAKEN_VERSIONS) + 1} of the plugin API, and this bridge takes",
    ),
    "no version": (
        f"del PLUGIN_API_VERSION\n{GOOD}",
        f"does not say for which plugin API it is made: its module needs PLUGIN_API_VERSION = {API_VERSION}",
    ),
    "version as text": (f"PLUGIN_API_VERSION = '1'\n{GOOD}", "does not say for which plugin API"),
    "other name": ("DIALECT = dialect(name='other')", "gives a dialect named 'other': the entry point must"),
    "wrong field": ("DIALECT = dialect(max_body_bytes='1k')", "gives a Dialect with a wrong field: Expected"),
    "no paths": ("DIALECT = dialect(paths=())", "has no paths"),
    "one path as text": ("DIALECT = dialect(paths='/acme')", "gives a Dialect with a wrong field: Expected"),
    "no path": ("DIALECT = dialect(paths=('acme',))", "has the path 'acme': expected /"),
    "path with a part": ("DIALECT = dialect(paths=('/a/{b}',))", "has the path '/a/{b}': expected /"),
    "path with a query": ("DIALECT = dialect(paths=('/a?b',))", "has the path '/a?b': expected /"),
    "root": ("DIALECT = dialect(paths=('/',))", "has the path '/': expected /"),
    "taken path": (
        "DIALECT = dialect(paths=('/ok', '/api/telemetry'))",
        "takes the path /api/telemetry, which is pixeltracker's",
    ),
    "taken but for case": (
        "DIALECT = dialect(paths=('/API/Telemetry/',))",
        "takes the path /API/Telemetry/, which is pixeltracker's",
    ),
    "own path": (
        "DIALECT = dialect(paths=('/-/reload',))",
        "takes the path /-/reload, which is the bridge's",
    ),
    "own page": ("DIALECT = dialect(paths=('/login',))", "takes the path /login, which is the bridge's own"),
    "below": (
        "DIALECT = dialect(paths=('/api/v1/new',))",
        "takes the path /api/v1/new, which is the bridge's",
    ),
    "all paths": (
        "DIALECT = dialect(paths=('/do',), paths_go_on=True)",
        "takes all paths that begin with /do, and some are the bridge's own",
    ),
    "all paths of another": (
        "DIALECT = dialect(paths=('/up',), paths_go_on=True)",
        "takes the path /up, which is proxmoxve's",
    ),
    "method": ("DIALECT = dialect(methods=('GET',))", "pushes by other methods than PATCH, POST, PUT"),
    "body": ("DIALECT = dialect(max_body_bytes=0)", "has a limit of its bodies"),
    "interval": ("DIALECT = dialect(default_interval_seconds=0.0)", "has a default_interval_seconds"),
    "need": ("DIALECT = dialect(token_need='open')", "has a token_need that is no TokenNeed"),
    "header": ("DIALECT = dialect(token_header='X Y')", "has a token_header that is no lower-case header"),
    "failed": ("DIALECT = dialect(failed=decode)", "sets repairs or failed"),
    "key": ("DIALECT = dialect(own_key=decode)", "sets own_key, which is"),
    "reasons": ("DIALECT = dialect(item_reasons=('Bad',), reply=told)", "has the item reason 'Bad'"),
    "no reply": ("DIALECT = dialect(item_reasons=('bad',))", "has item_reasons, but no reply"),
    "decode": ("DIALECT = dialect(decode=None)", "has a decode that cannot be called"),
    "accepted": ("DIALECT = dialect(accepted=b'ok')", "has an accepted reply that is none"),
    "accepted as 500": (
        "DIALECT = dialect(accepted=Reply(500, b'', 'a/b'))",
        "has an accepted reply that is",
    ),
    "accepted no JSON": (
        f"DIALECT = dialect(accepted=Reply(200, b'{{', {NOT_JSON[:18]}))",
        "has an accepted",
    ),
    "header split": ("DIALECT = dialect(accepted=Reply(200, b'', 'a/b\\r\\nx: y'))", "has an accepted reply"),
    "refuse fails": (
        "DIALECT = dialect(refuse=lambda error: 1 / 0)",
        "cannot refuse a push (malformed_body): Z",
    ),
    "refuse gives nothing": (
        "DIALECT = dialect(refuse=print)",
        "has no reply to a push that is refused (malf",
    ),
    "unknown status": (
        "DIALECT = dialect(refuse=lambda error: Reply(299, b'', 'a/b'))",
        "has no reply to a push that is refused (malformed_body)",
    ),
    "example": (f"DIALECT = dialect(example=({NOT_JSON}))", "has an example that is no JSON"),
}
"""What a plugin may be wrong in → its code, and how what is told of it begins."""


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_told_in_one_line_with_its_distribution_and_entry_point(
    case: str, site: Site
) -> None:
    code, told = REFUSED[case]
    entry = site.install(code)

    with pytest.raises(StartFailed) as caught:
        with_plugins(DIALECTS, ())

    assert str(caught.value).startswith(f"plugin acme-dialect 1.0: entry point {entry}: {told}")
    assert "\n" not in str(caught.value)


def test_a_name_of_the_bridges_own_is_taken(site: Site) -> None:
    entry = site.install(GOOD, name="statix")

    with pytest.raises(StartFailed) as caught:
        with_plugins(DIALECTS, ("statix",))

    assert str(caught.value) == (
        f"plugin acme-dialect 1.0: entry point {entry}: takes the name statix, which a dialect of the bridge itself has"
    )


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("acme", "takes the name acme, which acme-dialect 1.0: entry point {first} has"),
        ("other", "takes the path /acme/in, which is acme's"),
    ],
)
def test_the_second_of_two_plugins_cannot_have_what_the_first_has(second: str, told: str, site: Site) -> None:
    first = site.install(GOOD)
    entry = site.install(f"DIALECT = dialect(name={second!r})", name=second, distribution="bcme-dialect")

    with pytest.raises(StartFailed) as caught:
        with_plugins(DIALECTS, ())

    assert str(caught.value) == (f"plugin bcme-dialect 1.0: entry point {entry}: {told.format(first=first)}")


def test_no_path_that_the_bridge_answers_is_free_for_a_plugin(tmp_path: Path, site: Site) -> None:
    routes = routes_of(Web(tmp_path))
    site.install(GOOD)
    dialect = with_plugins(DIALECTS, ())["acme"]
    free = []
    for path in {path.partition("{")[0] for _, path in routes} - {"/"}:
        try:
            check_dialect(_with_paths(dialect, path), "acme", DIALECTS)
        except NotADialect:
            continue
        free.append(path)

    assert free == []


def _with_paths(dialect: plugin_api.Dialect, *paths: str) -> plugin_api.Dialect:
    fields = {name: getattr(dialect, name) for name in plugin_api.Dialect.__struct_fields__}
    return plugin_api.Dialect(**{**fields, "paths": paths})


# Commands and settings


@pytest.mark.parametrize("command", ["serve", "check-config"])
def test_commands_end_with_3_and_the_line(command: str, site: Site, tmp_path: Path) -> None:
    entry = site.install("DIALECT = 7")

    result = CliRunner().invoke(main, [command, f"--journal.directory={tmp_path / 'journal'}"])

    assert result.exit_code == 3
    assert result.stderr.lower().splitlines() == [
        f"error: plugin acme-dialect 1.0: entry point {entry}: gives no Dialect but int".lower()
    ]
    assert not (tmp_path / "journal").exists()


@pytest.mark.parametrize("disabled", [False, True])
def test_check_config_names_each_plugin(disabled: bool, site: Site, tmp_path: Path) -> None:
    entry = site.install(GOOD)
    flags = [f"--journal.directory={tmp_path}", *(["--dialects.disabled=[acme]"] if disabled else [])]

    result = CliRunner().invoke(main, ["check-config", *flags])

    state = " is disabled" if disabled else ""
    assert (result.exit_code, result.output.splitlines()[0]) == (
        0,
        f"plugin: acme-dialect 1.0: entry point {entry}{state}",
    )


def test_a_disabled_plugin_is_not_imported_and_may_be_named_in_settings(site: Site) -> None:
    site.install("raise ValueError", name="acme")
    config = Config(
        dialects=DialectsConfig(disabled=("acme",)),
        limits=LimitsConfig(rates={"acme": "5/s"}, body_bytes={"acme": 100}),
    )

    known = with_plugins(DIALECTS, config.dialects.disabled)
    check_access(config, known)
    bridge = Bridge(config, known)

    assert [plugin.left_out for plugin in plugins_of(known)] == [True]
    assert bridge.metrics.dialects.keys() == DIALECTS.keys()
    assert not [name for name in sys.modules if name.startswith("plugin_of_a_test_")]


def test_what_a_plugin_may_use_is_all_there() -> None:
    assert all(hasattr(plugin_api, name) for name in plugin_api.__all__)
    assert API_VERSION in TAKEN_VERSIONS
    assert max(TAKEN_VERSIONS) == API_VERSION


# Serving


class WithPlugins(Web):
    """A bridge with the plugins that are installed."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        config = Config(
            journal=JournalConfig(directory=str(directory / "journal")),
            viewer=ViewerConfig(dashboards_directory=str(directory / "dashboards")),
        )
        self.bridge = Bridge(config, with_plugins(DIALECTS, ()))
        self.app = self.bridge.web_app()

    def __enter__(self) -> WithPlugins:
        super().__enter__()
        return self

    def series(self) -> list[str]:
        lines = self.get("/metrics").text.splitlines()
        return [line for line in lines if line.startswith("acme_") and "_created" not in line]


Serve = Callable[..., WithPlugins]


@pytest.fixture
def serve(site: Site, tmp_path: Path) -> Iterator[Serve]:
    """What starts a bridge with the plugin of this code."""
    started: list[WithPlugins] = []

    def start(code: str = GOOD) -> WithPlugins:
        site.install(code)
        web = WithPlugins(tmp_path)
        web.__enter__()
        started.append(web)
        return web

    yield start
    for web in started:
        web.__exit__(None, None, None)


def test_what_a_plugin_decodes_is_stored_counted_and_documented(serve: Serve) -> None:
    web = serve("DIALECT = dialect(example=('text/plain', '!good()'))")
    for _ in range(2):
        answer = web.push(b"!good()", "/acme/in")
        assert (answer.status_code, answer.text) == (200, "ok")

    document = web.get("/api/v1/openapi.json").json()

    group = 'job="acme",instance="a"'
    assert {
        f'acme_room{{{group},a="b"}} 21.5',
        f"acme_room{{{group}}} 3.0",
        f'acme_calls_total{{{group},a="b"}} 4.0',
        f"acme_seconds_count{{{group}}} 2.0",
        f'acme_people{{{group},window="1h"}} 1.0',
    } <= set(web.series())
    assert web.value("telemetry_pushes_total", dialect="acme") == 2
    push = document["paths"]["/acme/in"]["post"]
    assert push["tags"] == ["acme"]
    assert push["requestBody"]["content"] == {
        "text/plain": {"schema": {"type": "string"}, "example": "!good()"}
    }


def test_what_a_plugin_refuses_is_told_as_it_says(serve: Serve) -> None:
    web = serve()

    answer = web.push(b"no", "/acme/in")

    assert (answer.status_code, answer.text) == (400, "expected !")
    assert web.value("telemetry_pushes_rejected_total", dialect="acme", reason="malformed_body") == 1
    assert web.value("telemetry_pushes_rejected_total", dialect="acme", reason="plugin_failed") == 0
    assert web.value("telemetry_pushes_rejected_total", dialect="statix", reason="plugin_failed") is None


def test_the_bridge_checks_what_a_plugin_gives_as_it_does_its_own(serve: Serve) -> None:
    web = serve()

    for body, told in (
        (b'!value(Family("telemetry_x", "gauge", ""))', "this stack's own"),
        (b'!value(ROOM, group=make_push_group("node", ""))', "is scraped by this stack"),
        (b'!value(ROOM, tuple((f"l{n:02}", "v") for n in range(50)))', "labels"),
        (b"!group(increments=[Increment(CALLS, (), 1.0)] * 10001)", "may have 10000"),
    ):
        answer = web.push(body, "/acme/in")
        assert answer.status_code in {400, 422}
        assert told in answer.text

    assert web.series() == []


WRONG: dict[str, str] = {
    "raises": "1 / 0",
    "recursion": "(lambda f: f(f))(lambda f: f(f))",
    "nothing": "None",
    "bytes": "b''",
    "groups": "Report(7)",
    "no group": "Report((7,))",
    "group of lists": "group(group=[['job', 'a'], ['instance', '']])",
    "no job": "group(group=(('instance', ''),))",
    "empty job": "group(group=make_push_group('', ''))",
    "job as number": "group(group=make_push_group(7, ''))",
    "half a surrogate": "group(group=make_push_group('\\ud800', ''))",
    "unsorted labels": "group(group=make_push_group('a', '', (('z', 'a'), ('b', 'a'))))",
    "empty label": "value(ROOM, (('a', ''),))",
    "bad label": "value(ROOM, (('a b', 'c'),))",
    "label that breaks a line": "value(ROOM, (('a\\n', 'c'),))",
    "reserved label": "value(ROOM, (('__name__', 'c'),))",
    "label of the group": "value(ROOM, (('job', 'c'),))",
    "label value as number": "value(ROOM, (('a', 1),))",
    "bad name": "value(Family('a-b', 'gauge', ''))",
    "bad type": "value(Family('a', 'graph', ''))",
    "histogram that is set": "value(SECONDS)",
    "help as number": "value(Family('a', 'gauge', 7))",
    "twice": "group(shape=((ROOM, ()), (ROOM, ())), values=[1.0, 2.0])",
    "too few values": "group(shape=((ROOM, ()),), values=[])",
    "value as text": "value(ROOM, (), '1')",
    "value as truth": "value(ROOM, (), True)",
    "value beyond floats": "value(ROOM, (), 2**99)",
    "time as float": "value(ROOM, timestamp_ms=1.5)",
    "time to live": "value(ROOM, time_to_live_seconds=-1.0)",
    "class": "value(ROOM, series_class=1)",
    "initial": "group(initial=((ROOM, ()),))",
    "items": "value(ROOM, items=(0,))",
    "counts down": "group(increments=[Increment(CALLS, (), -1.0)])",
    "counts without end": "group(increments=[Increment(CALLS, (), math.inf)])",
    "counts a gauge": "group(increments=[Increment(ROOM, (), 1.0)])",
    "no increment": "group(increments=[1.0])",
    "observes no number": "group(observations=[Observation(SECONDS, (), math.nan)])",
    "observes without buckets": "group(observations=[Observation(Family('a', 'histogram', ''), (), 1.0)])",
    "buckets that fall": "group(observations=[Observation(Family('a', 'histogram', '', '', (2.0, 1.0)), (), 1.0)])",
    "le": "group(observations=[Observation(SECONDS, (('le', '1'),), 1.0)])",
    "hash": "group(distinct=[Distinct(PEOPLE, (), -1)])",
    "window": "group(distinct=[Distinct(PEOPLE, (('window', '1h'),), 1)])",
    "accepted": "Report(accepted=-1)",
    "entry": "Report(entry=b'{}')",
    "events": "Report(events=[GROUP])",
    "answer": "Report(answer=b'ok')",
    "rejected without a reply": "Report(rejected=[Rejection(0, 'bad_thing', 'x')])",
}
"""What a decoder may do wrong → what the plugin evaluates."""


def test_a_decoder_that_is_wrong_harms_its_own_push_alone_and_is_logged_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    web = serve()
    assert web.push(b"!good()", "/acme/in").status_code == 200
    before = web.series()

    for number, code in enumerate(WRONG.values(), 1):
        for _ in range(2):
            answer = web.push(f"!{code}".encode(), "/acme/in")
            assert (answer.status_code, answer.text) == (
                500,
                "the plugin for acme is at fault; nothing was stored",
            ), code
        failed = web.value("telemetry_pushes_rejected_total", dialect="acme", reason="plugin_failed")
        assert failed == 2 * number, code

    assert web.series() == before
    assert web.push(b'{"name":"lab-7","cpuC":4}').status_code == 200
    assert web.push(b"!good()", "/acme/in").status_code == 200
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == len(set(told)) == 20
    assert told[0].startswith(
        "plugin failed, its pushers get 500 dialect=acme plugin='acme-dialect 1.0: entry point "
    )
    assert "fault='ZeroDivisionError at <string>:1 in <module>'" in told[0]


def test_the_log_has_nothing_of_what_was_pushed(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    web = serve()

    web.push(b"!int('192.0.2.7')", "/acme/in")
    web.push(b"!{}['someone@example.org']", "/acme/in")
    web.push(b"!value(ROOM, (('someone@example.org', 'a'),))", "/acme/in")

    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 3
    assert "192.0.2.7" not in caplog.text
    assert "someone" not in caplog.text


@pytest.mark.parametrize(
    "refuse",
    ["1 / 0", "None", "Reply(7, b'', 'a/b')", "Reply(204, b'body', 'a/b')"],
)
def test_a_refusal_that_cannot_be_worded_is_told_plainly(refuse: str, serve: Serve) -> None:
    """It was right when the bridge started."""
    web = serve(
        f"DIALECT = dialect(refuse=lambda error: told(error) if str(error) == 'why' "
        f"or str(error).startswith('what is') else {refuse})"
    )

    answer = web.push(b"no", "/acme/in")

    assert (answer.status_code, answer.text) == (400, "expected !")


REPLYING = """
DIALECT = dialect(
    item_reasons=("bad_thing",),
    reply=lambda report, rejected: Reply(200, f"{report.accepted} {[one.reason for one in rejected]}".encode(), "a/b"),
)
"""


def test_a_plugin_may_say_what_became_of_each_item(serve: Serve) -> None:
    web = serve(REPLYING)

    mixed = b"!Report(value(ROOM, items=(1,)).groups, 1, rejected=[Rejection(0, 'bad_thing', 'x')])"
    answers = [
        web.push(mixed, "/acme/in"),
        web.push(b"!Report(rejected=[Rejection(0, 'worse', 'x')])", "/acme/in"),
    ]

    assert [(answer.status_code, answer.text) for answer in answers] == [
        (200, "1 ['bad_thing']"),
        (500, "the plugin for acme is at fault; nothing was stored"),
    ]
    assert web.value("telemetry_items_rejected_total", dialect="acme", reason="bad_thing") == 1


@pytest.mark.parametrize("told", ["1 / 0", "7", "Reply(200, 'text', 'a/b')"])
def test_a_reply_that_fails_stores_nothing(told: str, serve: Serve) -> None:
    web = serve(f"DIALECT = dialect(reply=lambda report, rejected: {told})")

    answer = web.push(b"!good()", "/acme/in")

    assert answer.status_code == 500
    assert web.series() == []


def test_what_a_plugin_brought_stays_when_it_is_gone(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install(GOOD)
    with WithPlugins(tmp_path) as web:
        web.push(b"!good()", "/acme/in")
        shown = web.series()
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != str(site.folder)])
    importlib.invalidate_caches()

    with WithPlugins(tmp_path) as web:
        assert web.push(b"!good()", "/acme/in").status_code == 404
        assert web.series() == shown != []
