from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import pytest

from pushgateway_bridge import cli
from pushgateway_bridge.config import (
    AccessConfig,
    Config,
    JournalConfig,
    RemoteConfig,
    WebConfig,
    environment_name,
    load,
    setting_default,
    setting_names,
    split_address,
)
from pushgateway_bridge.errors import StartFailed

LISTEN = "PUSHGATEWAY_BRIDGE_WEB_LISTEN_ADDRESS"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bridge.yml"


def message_of(
    file: Path | None = None,
    environment: dict[str, str] | None = None,
    flags: dict[str, str] | None = None,
) -> str:
    with pytest.raises(StartFailed) as failure:
        load(file, environment or {}, flags or {})
    return str(failure.value)


def test_without_any_source_there_are_defaults() -> None:
    assert load(None, {}, {}) == Config()


def test_flag_over_environment_over_file_over_default(file: Path) -> None:
    file.write_text("web: {listen_address: '127.0.0.1:1'}")
    flags = {"web.listen_address": "127.0.0.1:3"}
    environment = {LISTEN: "127.0.0.1:2"}

    assert load(None, {}, {}).web.listen_address == "127.0.0.1:10091"
    assert load(file, {}, {}).web.listen_address == "127.0.0.1:1"
    assert load(file, environment, {}).web.listen_address == "127.0.0.1:2"
    assert load(file, environment, flags).web.listen_address == "127.0.0.1:3"


def test_sources_meet_in_one_section(file: Path) -> None:
    file.write_text("journal:\n  directory: /srv/journal\n  recent_entries: 5\n")
    environment = {"PUSHGATEWAY_BRIDGE_JOURNAL_RECENT_AGE_SECONDS": "60"}

    config = load(file, environment, {"journal.recent_entries": "7"})

    assert config == Config(
        journal=JournalConfig(directory="/srv/journal", recent_entries=7, recent_age_seconds=60.0)
    )


def test_empty_environment_variable_is_not_set() -> None:
    assert load(None, {LISTEN: ""}, {}).web == WebConfig()


def test_variables_of_others_do_not_count() -> None:
    assert load(None, {"WEB_LISTEN_ADDRESS": "0.0.0.0:1", "PUSHGATEWAY_BRIDGE_X": "1"}, {}) == Config()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "web:\n", "web: {}\njournal:\n  # later\n"])
def test_file_without_settings_gives_defaults(file: Path, text: str) -> None:
    file.write_text(text)

    assert load(file, {}, {}) == Config()


def test_file_of_each_type_of_value(file: Path) -> None:
    file.write_text(
        "access: {open_protocols: allow}\njournal: {checkpoint_interval_seconds: 1, recent_entries: 10}\n"
    )

    config = load(file, {}, {})

    assert config.access == AccessConfig(open_protocols="allow")
    assert config.journal == JournalConfig(checkpoint_interval_seconds=1.0, recent_entries=10)


@pytest.mark.parametrize("setting", setting_names())
def test_each_setting_is_read_from_environment_and_flag(setting: str) -> None:
    replica = RemoteConfig(name="a", url="http://b")
    samples: dict[str, tuple[str, object]] = {
        "delivery": ("remote_write", "remote_write"),
        "remote_write.external_labels": ("{replica: a}", {"replica": "a"}),
        "remote_write.remotes": ("[{name: a, url: 'http://b'}]", (replica,)),
        "access.open_protocols": ("allow", "allow"),
        "access.read": ("token", "token"),
        "access.trusted_proxies": ("[10.0.0.0/8, '::1']", ("10.0.0.0/8", "::1")),
        "access.cors_origins": ("[https://a.example, 'http://b:81']", ("https://a.example", "http://b:81")),
        "limits.body_bytes": ("{pixeltracker: 12}", {"pixeltracker": 12}),
        "limits.rates": ("{pixeltracker: 5/s}", {"pixeltracker": "5/s"}),
        "limits.max_label_value_bytes": ("120", 120),
        "limits.max_nesting": ("12", 12),
        "log.level": ("debug", "debug"),
        "reports.weekly": ("false", False),
        "web.hot_routes": ("false", False),
        "dialects.disabled": ("[samples, pushgateway]", ("samples", "pushgateway")),
        "journal.max_bytes": ("20000000", 20_000_000),
    }
    number = 12.0 if isinstance(setting_default(setting), float) else 12
    plain = "12" if isinstance(setting_default(setting), str) else number
    text, value = samples.get(setting, ("12", plain))
    get = attrgetter(setting)

    from_environment = get(load(None, {environment_name(setting): text}, {}))
    from_flag = get(load(None, {}, {setting: text}))

    assert from_environment == from_flag == value
    assert from_flag != get(Config()) == setting_default(setting)


def test_environment_name_is_the_setting_in_capitals() -> None:
    assert environment_name("web.listen_address") == LISTEN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[web]", "configuration file {file}: expected sections, got list"),
        ("web", "configuration file {file}: expected sections, got str"),
        ("web: 127.0.0.1:1", "configuration file {file}: section 'web' must hold keys and values"),
        (
            "webb: {}",
            "configuration file {file}: unknown section 'webb': did you mean 'web'?",
        ),
        (
            "5: {}",
            "configuration file {file}: unknown section 5: known are web, journal, remote_write, access, dialects, "
            "limits, mappings, minigem, geo, prometheus, grafana, viewer, alerts, reports, log, delivery",
        ),
        (
            "web: {listen_adress: x}",
            "configuration file {file}: unknown key web.listen_adress: did you mean 'listen_address'?",
        ),
        ("log: {colour: x}", "configuration file {file}: unknown key log.colour: known are level"),
        (
            "journal: {recent_entries: many}",
            "journal.recent_entries: Expected `int`, got `str`, got 'many', from the configuration file {file}",
        ),
        (
            "web: {listen_address: 10091}",
            "web.listen_address: Expected `str`, got `int`, got 10091, from the configuration file {file}",
        ),
        (
            "log: {level: loud}",
            "log.level: Invalid enum value 'loud', got 'loud' (one of debug, info, warning, error), from the "
            "configuration file {file}",
        ),
    ],
)
def test_error_in_the_file_is_one_line_that_names_the_place(file: Path, text: str, message: str) -> None:
    file.write_text(text)

    assert message_of(file) == message.format(file=file)


def test_file_that_is_no_yaml_is_told_with_its_line(file: Path) -> None:
    file.write_text("web:\n  listen_address: 'x\n")

    message = message_of(file)

    assert message.startswith(f"configuration file {file} is no YAML: ")
    assert "line 2" in message
    assert "\n" not in message


def test_file_that_is_no_text_is_told(file: Path) -> None:
    file.write_bytes(b"web: \xff")

    assert message_of(file).startswith(f"configuration file {file} is no YAML: ")


def test_missing_file_and_folder_are_told(tmp_path: Path) -> None:
    absent = tmp_path / "absent.yml"

    assert message_of(absent) == f"configuration file {absent}: No such file or directory"
    assert message_of(tmp_path) == f"configuration file {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("journal.recent_entries", "0", "Expected `int` >= 1"),
        ("journal.recent_entries", "-1", "Expected `int` >= 1"),
        ("journal.recent_entries", "1.5", "Expected `int`, got `str`"),
        ("journal.recent_entries", "9" * 30, "Expected `int` <= 10000000"),
        ("journal.recent_age_seconds", "0", "Expected `float` > 0.0"),
        ("journal.recent_age_seconds", "nan", "Expected `float` "),
        ("journal.recent_age_seconds", "inf", "Expected `float` <= 315360000.0"),
        ("journal.recent_age_seconds", "1d", "Expected `float`, got `str`"),
        ("access.open_protocols", "yes", "Invalid enum value 'yes'"),
    ],
)
def test_value_out_of_range_is_told_with_its_source(setting: str, value: str, complaint: str) -> None:
    flag = f"--{setting.replace('_', '-')}"
    name = environment_name(setting)

    from_flag = message_of(flags={setting: value})
    from_environment = message_of(environment={name: value})

    assert from_flag.startswith(f"{setting}: {complaint}")
    assert from_flag.endswith(f"from the flag {flag}")
    assert from_environment.startswith(f"{setting}: {complaint}")
    assert from_environment.endswith(f"from the environment variable {name}")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:10091", ("127.0.0.1", 10091)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:10091", ("::1", 10091)),
        ("[::]:65535", ("::", 65535)),
        (":10091", ("0.0.0.0", 10091)),
    ],
)
def test_address_is_split(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address, "web.listen_address") == parts


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "127.0.0.1:", "host:http", "host:65536", "host:-1", "host:²", "host:1 "]
)
def test_address_without_host_and_port_is_told(address: str) -> None:
    with pytest.raises(StartFailed) as failure:
        split_address(address, "web.listen_address")

    assert str(failure.value) == f"web.listen_address: expected HOST:PORT, got {address!r}"


def test_help_documents_every_setting_and_nothing_else() -> None:
    assert list(cli.HELP) == setting_names()
