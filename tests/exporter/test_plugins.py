"""Plugins as they are installed: a folder on the path with a module and the record of its entry point."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host_exporter.collector import SettingError
from host_exporter.paths import HostPaths
from host_exporter.plugins import MOST_SERIES, PluginError, load_plugins
from host_exporter.render import TEXT, Renderer

Install = Callable[..., None]

HEAD = """
from host_exporter.plugin_api import Collector, Family, NoDataError, Setting, SettingError, Settings, unset

PLUGIN_API_VERSION = 1
X = Family("acme_x", "gauge", "An x.", ("a",))
"""
GOOD = f"""{HEAD}
def collect(paths):
    yield X, ("1",), 2

COLLECTOR = Collector((X,), unset(collect))
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of one module with the text *source*; *entries* are the lines of its entry points."""
    modules: list[str] = []

    def run(source: str, *entries: str, module: str = "acme_collector") -> None:
        folder = tmp_path / module
        record = folder / f"{module}-1.0.dist-info"
        record.mkdir(parents=True)
        name = module.replace("_", "-")
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = entries or (f"acme = {module}:COLLECTOR",)
        (record / "entry_points.txt").write_text("\n".join(["[host_exporter.collectors]", *lines, ""]))
        (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        modules.append(module)

    yield run
    for module in modules:
        sys.modules.pop(module, None)


def lines(paths: HostPaths, told: dict[str, str | bool] | None = None) -> list[str]:
    """What the plugin ``acme`` adds to an exposition."""
    collect = load_plugins()["acme"].made("acme", told)
    return [line for line in Renderer(TEXT).render(collect(paths)).splitlines() if not line.startswith("#")]


def test_without_plugins_there_are_none() -> None:
    assert load_plugins() == {}


def test_a_plugin_is_found_by_its_entry_point(install: Install, plain: HostPaths) -> None:
    install(GOOD)

    assert lines(plain) == ['acme_x{a="1"} 2']


def test_an_entry_point_may_lead_to_what_makes_the_collector(install: Install, plain: HostPaths) -> None:
    install(f"{GOOD}\ndef make_collector():\n    return COLLECTOR\n", "acme = acme_collector:make_collector")

    assert lines(plain) == ['acme_x{a="1"} 2']


def test_a_plugin_is_told_its_settings(install: Install, plain: HostPaths) -> None:
    install(f"""{HEAD}
def make(settings):
    return lambda paths: [(X, (settings.text("way"),), settings.switch("deep"))]

COLLECTOR = Collector([X], make, (Setting("way", "up", "A way."), Setting("deep", False, "Whether.")))
""")

    assert lines(plain, {"way": "down", "deep": True}) == ['acme_x{a="down"} 1.0']
    assert lines(plain) == ['acme_x{a="up"} 0.0']


DECLARED = "COLLECTOR = Collector(({},), unset(lambda paths: ()))"


def family(arguments: str) -> str:
    return DECLARED.format(f"Family({arguments})")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError: No module named"),
        ("raise SystemExit(1)", "cannot be imported: SystemExit: 1"),
        ("COLLECTOR = 1", "gives no Collector but an int"),
        ("def COLLECTOR():\n    return None", "gives no Collector but nothing"),
        ("def COLLECTOR():\n    return {}[1]", "cannot make its collector: KeyError: 1"),
        ("PLUGIN_API_VERSION = '1'", "does not say for which plugin API it is made: its module needs"),
        ("PLUGIN_API_VERSION = 2", "is made for version 2 of the plugin API, and this exporter takes 1"),
        ("COLLECTOR = Collector(X, unset(print))", "has families that are not a collection of Family"),
        ("COLLECTOR = Collector((X, 1), unset(print))", "has families that are not a collection of Family"),
        ("COLLECTOR = Collector((X,), None)", "has nothing as make, and not a function"),
        ("COLLECTOR = Collector((X,), print, (), 1)", "has an int as on_by_default, and not a boolean"),
        ("COLLECTOR = Collector((X,), print, ('a',))", "has settings that are not a collection of Setting"),
        (DECLARED.format("X, X"), "declares acme_x, which another family of its own has"),
        (family("'node_load1', 'gauge', ''"), "declares node_load1, which the collector loadavg has"),
        (family("'node_forks', 'gauge', ''"), "declares node_forks, which the collector stat has"),
        (family("'process_open_fds', 'gauge', ''"), "declares process_open_fds, which the exporter has"),
        (family("'host_exporter_x', 'gauge', ''"), "what begins so tells of the exporter itself"),
        (family("'a-b', 'gauge', ''"), "declares a family with the name 'a-b'"),
        (family("'a', 'histogram', ''"), "declares a as histogram; possible are counter, gauge, untyped"),
        (family("'a', 'gauge', '', free=True"), "declares a as gauge; possible are"),
        (
            family("'a', 'counter', ''"),
            "declares the counter a; counters end in _total, and nothing else does",
        ),
        (family("'a_total', 'gauge', ''"), "declares the gauge a_total; counters end in _total"),
        (family("'a', 'gauge', None"), "declares a with nothing as help, and not a text"),
        (family("'a', 'gauge', '', 'xy'"), "labels of a that are not"),
        (family("'a', 'gauge', '', ('x', 'x')"), "declares a with the labels x, x"),
        (family("'a', 'gauge', '', ('__name__',)"), "declares a with the labels __name__"),
        ("COLLECTOR = Collector((X,), print, (Setting('A', '', ''),))", "has a setting with the name 'A'"),
        ("COLLECTOR = Collector((X,), print, (Setting('a', 1, ''),))", "has a setting a whose default"),
        ("COLLECTOR = Collector((X,), print, (Setting('a', '', None),))", "has a setting a whose default"),
        ("COLLECTOR = Collector((X,), print, (Setting('a', '', ''),) * 2)", "has two settings a"),
    ],
    ids=str,
)
def test_a_plugin_that_cannot_be_used_is_named_with_the_reason(
    source: str, told: str, install: Install
) -> None:
    install(f"{GOOD}\n{source}\n")

    with pytest.raises(PluginError) as raised:
        load_plugins()

    origin = "plugin acme-collector 1.0: entry point acme = acme_collector:COLLECTOR: "
    assert str(raised.value).startswith(origin)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cpu", "takes the name cpu, which a collector of the exporter itself has"),
        ("Acme", "its name must be like"),
        ("acme-x", "its name must be like"),
        ("a" * 65, "its name must be like"),
        ("disable_defaults", "has the flag --collector.disable_defaults, as the exporter has"),
        ("textfile_directory", "has the flag --collector.textfile_directory, as textfile has"),
    ],
)
def test_a_name_that_is_taken_or_odd_is_refused(name: str, told: str, install: Install) -> None:
    install(GOOD, f"{name} = acme_collector:COLLECTOR")

    with pytest.raises(PluginError, match=told):
        load_plugins()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("acme = other_collector:COLLECTOR", "takes the name acme, which acme-collector 1.0"),
        ("other = other_collector:COLLECTOR", "declares acme_x, which acme-collector 1.0"),
    ],
)
def test_two_plugins_cannot_have_one_name_or_one_family(other: str, told: str, install: Install) -> None:
    install(GOOD)
    install(GOOD, other, module="other_collector")

    with pytest.raises(PluginError, match=told):
        load_plugins()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        ("lambda settings: 1", "makes an int, and not a function"),
        ("lambda settings: settings.text('b')", "cannot be set up: KeyError: 'b'"),
    ],
)
def test_a_plugin_that_cannot_be_set_up_is_named(make: str, told: str, install: Install) -> None:
    install(f"{HEAD}\nCOLLECTOR = Collector((X,), {make})\n")

    with pytest.raises(PluginError, match=f"^plugin acme-collector 1.0: .*: {told}"):
        load_plugins()["acme"].made("acme")


def test_a_setting_that_a_plugin_refuses_is_told_as_one_of_ours(install: Install) -> None:
    install(f"""{HEAD}
COLLECTOR = Collector((X,), lambda settings: settings.pattern("only"), (Setting("only", "", "A pattern."),))
""")

    with pytest.raises(SettingError, match=r"--collector\.acme\.only: not a regular expression"):
        load_plugins()["acme"].made("acme", {"only": "("})


def test_nonsense_costs_only_its_series_and_is_logged_once(
    install: Install, plain: HostPaths, caplog: pytest.LogCaptureFixture
) -> None:
    install(f"""{HEAD}
Y = Family("acme_y", "gauge", "Not declared.")

def collect(paths):
    yield X, ("1",), 1
    yield X, ("1",), 2
    yield X, (), 3
    yield X, "4", 4
    yield X, (5,), 5
    yield X, ("6",), "6"
    yield X, ("7",), None
    yield Y, (), 8
    yield ["unhashable"], (), 9
    yield None
    yield X, ("10",)
    yield X, ("11",), 11.5

COLLECTOR = Collector((X,), unset(collect))
""")
    collect = load_plugins()["acme"].made("acme")

    with caplog.at_level(logging.WARNING):
        first, second = (list(collect(plain)) for _ in range(2))

    assert first == second
    assert [(labels, number) for _, labels, number in first] == [(("1",), 1), (("11",), 11.5)]
    assert [record.__dict__["fault"] for record in caplog.records] == [
        "a series of acme_x twice",
        "a series of acme_x without a tuple of 1 label values",
        "a series of acme_x with a label value that is no text",
        "a series of acme_x with a str as number",
        "a series of acme_x with nothing as number",
        "a family that it does not declare",
        "nothing, and not a family, its label values and a number",
        "a tuple, and not a family, its label values and a number",
    ]
    assert {record.__dict__["plugin"] for record in caplog.records} == {
        "acme-collector 1.0: entry point acme = acme_collector:COLLECTOR"
    }


@pytest.mark.parametrize(
    ("collect", "error"),
    [
        ("lambda paths: None", TypeError),
        ("lambda paths: {}[1]", KeyError),
        ("lambda paths: exit(1)", RuntimeError),
        ("lambda paths: ((X, (str(n),), n) for n in __import__('itertools').count())", ValueError),
    ],
)
def test_a_plugin_that_fails_fails_as_any_collector_does(
    collect: str, error: type[Exception], install: Install, plain: HostPaths
) -> None:
    install(f"{HEAD}\nCOLLECTOR = Collector((X,), unset({collect}))\n")
    collecting = load_plugins()["acme"].made("acme")(plain)

    with pytest.raises(error):
        list(collecting)


def test_as_many_series_as_are_allowed_are_shown(install: Install, plain: HostPaths) -> None:
    install(
        f"{HEAD}\nCOLLECTOR = Collector((X,), unset(lambda paths: ((X, (str(n),), n) for n in range({MOST_SERIES}))))\n"
    )

    assert len(lines(plain)) == MOST_SERIES
